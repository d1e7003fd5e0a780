# A machine that builds its own next generation. Its story writes this very text to /etc/esker of the machine, so it names
# nothing beside itself.
{ pkgs, ... }:

{
  networking.hostName = "own";
  boot.kernelPackages = pkgs.linuxPackages_cloud;
  boot.kernelParams = [ "console=ttyS0" "systemd.show_status=true" ];
  boot.loader.timeout = 1;

  services.esker-agent.enable = true;
  services.openssh.enable = true;
  services.openssh.ports = [ 2222 ];
  users.users.root.openssh.authorizedKeys.keys = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIdN9IgnjZEfR3y7T5n83jNcxgBoppcpPJ7NhGn3c//2 example key, known to everyone"
  ];
  users.users.me = {
    isNormalUser = true;
    extraGroups = [ "sudo" ];
    initialPassword = "me";
  };

  programs.bash.completion.enable = true;
  environment.systemPackages = [ pkgs.man-db ];
  environment.etc."story".text = "first\n";
}
