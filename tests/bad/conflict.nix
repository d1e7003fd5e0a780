{
  imports = [ ./parts/bootable.nix ./parts/other-host.nix ];
  networking.hostName = "web";
}
