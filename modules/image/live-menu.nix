# What the boot menu of a medium offers beside the system as it is.
{ pkgs, ... }:

let
  port = { x86_64-linux = "ttyS0,115200"; aarch64-linux = "ttyAMA0,115200"; }.${pkgs.system};
in
{
  specialisation = {
    to-ram.configuration.boot.kernelParams = [ "esker.copytoram" ];
    serial-console.configuration.boot.kernelParams = [ "console=tty0" "console=${port}" ];
  };
}
