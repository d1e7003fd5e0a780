{ pkgs, ... }:
{
  imports = [ ./parts/bootable.nix ];
  environment.systemPackages = with pkgs; [ git curll ];
}
