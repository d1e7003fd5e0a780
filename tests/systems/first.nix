# The generation that the stories install: beside what both have, a unit that the second one no longer has.
{ ... }:

{
  imports = [ ./base.nix ];

  systemd.services.closed-port.serviceConfig.ExecStart = "/usr/bin/python3 -m http.server 8888";
  systemd.services.doomed = {
    description = "Gone in the second generation";
    wantedBy = [ "multi-user.target" ];
    serviceConfig.ExecStart = "/usr/bin/sleep infinity";
  };
}
