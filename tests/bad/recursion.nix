{ config, ... }:
{
  imports = [ ./parts/bootable.nix ];
  networking.hostName = config.networking.hostName + "x";
}
