# What both generations of the stories have: examples/server: with the guest agent, the tests' own key, and a port on which something
# listens that the firewall does not let through.
{ lib, pkgs, ... }:

{
  imports = [ ../../examples/server/configuration.nix ];

  services.esker-agent.enable = true;
  users.users.admin.openssh.authorizedKeys.keyFiles = [ ../keys/admin.pub ];

  # The console shows everything: it is what a failed story leaves behind.
  boot.kernelParams = lib.mkAfter [ "systemd.show_status=true" ];
  boot.loader.timeout = lib.mkForce 1;

  systemd.services.closed-port = {
    description = "Listens where the firewall lets nobody through";
    wantedBy = [ "multi-user.target" ];
    serviceConfig.DynamicUser = true;
  };

  environment.systemPackages = [ pkgs.gcc pkgs.libc6-dev pkgs.nodejs pkgs.cargo ];

  users.users.second = {
    isNormalUser = true;
    uid = 1042;
    initialPassword = "second";
    shell = "/bin/sh";
  };
}
