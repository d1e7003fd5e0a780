# The generation that the stories switch to: a package more, a unit changed, a unit removed, a user more.
{ lib, pkgs, ... }:

{
  imports = [ ./base.nix ];

  # The menu of the machine is the default generation's: time for the story to press a key.
  boot.loader.timeout = lib.mkOverride 40 5;

  environment.systemPackages = [ pkgs.tree ];
  systemd.services.closed-port.serviceConfig.ExecStart = "/usr/bin/python3 -m http.server 8889";
  users.users.third = {
    isNormalUser = true;
    initialPassword = "third";
  };
}
