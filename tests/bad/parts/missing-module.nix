{
  imports = [ ./bootable.nix ];
  boot.initrd.kernelModules = [ "no_such_module" ];
}
