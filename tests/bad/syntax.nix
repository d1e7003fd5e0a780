{
  imports = [ ./parts/bootable.nix ]
  networking.hostName = "web";
  services.openssh = {
    enable = true;
}
