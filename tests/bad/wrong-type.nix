{
  imports = [ ./parts/bootable.nix ];
  services.openssh.enable = "yes";
  services.openssh.ports = [ 22 "2222" ];
  networking.hostName = "two words";
  users.users.ada = { isNormalUser = 1; };
  boot.kernelParams = "quiet";
}
