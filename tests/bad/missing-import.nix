{
  imports = [ ./parts/bootable.nix ./hardware.nix ];
  networking.hostName = "web";
}
