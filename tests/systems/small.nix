# As little as the story of disks needs: nothing of a disk is declared.
{ pkgs, ... }:

{
  services.esker-agent.enable = true;
  networking.hostName = "small";
  boot.kernelPackages = pkgs.linuxPackages_cloud;
  boot.kernelParams = [ "console=ttyS0" "systemd.show_status=true" ];
  boot.loader.timeout = 0;
  users.users.me = { isNormalUser = true; extraGroups = [ "sudo" ]; initialPassword = "me"; };
}
