{ pkgs, ... }:
{
  imports = [ ./parts/bootable.nix ];
  networking.hostName = lib.mkForce "web";
  environment.systemPackages = [ pkg.vim ];
}
