# Views with QEMU and the firmware of its machines, for `esker vm` and the tests. They hold what an emulator without a
# window needs.
{ pkgs }:

{
  x86_64 = pkgs.mkView {
    name = "qemu-x86_64";
    roots = [ pkgs.qemu-system-x86 pkgs.ovmf ];
  };
  aarch64 = pkgs.mkView {
    name = "qemu-aarch64";
    roots = [ pkgs.qemu-system-arm pkgs.qemu-efi-aarch64 ];
  };
}
