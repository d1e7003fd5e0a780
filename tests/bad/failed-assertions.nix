{ config, lib, ... }:
{
  imports = [ ./parts/bootable.nix ];
  warnings = [ "this is only a warning" ];
  assertions = [
    { assertion = config.services.openssh.enable; message = "ssh must be enabled here"; }
    { assertion = lib.elem "quiet" config.boot.kernelParams; message = "the kernel must be quiet"; }
  ];
}
