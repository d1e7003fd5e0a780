{ pkgs, ... }:
{
  imports = [ ./parts/bootable.nix ];
  environment.systemPackages = [ pkgs.ngnix pkgs.vim ];
}
