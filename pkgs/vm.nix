# Views with QEMU, the firmware of its machines and what serves them the host's store (virtiofsd), for `esker vm` and the
# tests. They hold what an emulator without a window needs; those below `window` also have what shows one.
{ pkgs }:

let
  views = suffix: extra: {
    x86_64 = pkgs.mkView {
      name = "qemu-x86_64${suffix}";
      roots = [ pkgs.qemu-system-x86 pkgs.ovmf pkgs.virtiofsd ] ++ extra;
    };
    aarch64 = pkgs.mkView {
      name = "qemu-aarch64${suffix}";
      roots = [ pkgs.qemu-system-arm pkgs.qemu-efi-aarch64 pkgs.virtiofsd ] ++ extra;
    };
  };
in
views "" [ ] // { window = views "-window" [ pkgs.qemu-system-gui ]; }
