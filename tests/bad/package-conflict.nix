{ pkgs, ... }:
{
  imports = [ ./parts/bootable.nix ];
  environment.systemPackages = [ pkgs.postfix pkgs.exim4-daemon-light ];
}
