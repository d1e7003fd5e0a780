# Views with QEMU and the firmware of its machines, for `esker vm` and the tests. They hold what an emulator without a
# window needs; those below `window` also have what shows one.
{ pkgs }:

let
  views = suffix: extra: {
    x86_64 = pkgs.mkView {
      name = "qemu-x86_64${suffix}";
      roots = [ pkgs.qemu-system-x86 pkgs.ovmf ] ++ extra;
    };
    aarch64 = pkgs.mkView {
      name = "qemu-aarch64${suffix}";
      roots = [ pkgs.qemu-system-arm pkgs.qemu-efi-aarch64 ] ++ extra;
    };
  };
in
views "" [ ] // { window = views "-window" [ pkgs.qemu-system-gui ]; }
