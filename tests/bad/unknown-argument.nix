{ pkg, ... }:
{
  imports = [ ./parts/bootable.nix ];
  environment.systemPackages = [ pkg.vim ];
}
