{
  imports = [ ./parts/bootable.nix ];
  services.openssh.enabel = true;
  networking.firewall.allowedTcpPorts = [ 80 ];
  openssh.enable = true;
}
