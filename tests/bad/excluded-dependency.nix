{ pkgs, ... }:
{
  imports = [ ./parts/bootable.nix ];
  environment.systemPackages = [ pkgs.openssh-server pkgs.git ];
  system.excludedPackages = [ "libc6" ];
}
