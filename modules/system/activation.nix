# What activation is told beyond /etc: persisted state, wrappers, who may change accounts.
{ lib, config, ... }:

let
  inherit (lib) mkOption types;
in
{
  config.system.build.activation = {
    version = 1;
    hostName = config.networking.hostName;
    mutableUsers = config.users.mutableUsers;
    persistence = config.environment.persistence.entries;
    stateDirectory = config.environment.persistence.directory;
    grow = if config.boot.growPartition then config.system.build.storeMountPoint else null;
    wrappers = map (w: {
      name = w.program;
      inherit (w) source owner group permissions capabilities setuid setgid;
    }) (lib.filter (w: w.enable) (lib.attrValues config.security.wrappers));
  };

  # A step of activation that fails at boot keeps no other away; this unit says that one did.
  config.systemd.services.esker-activation = {
    description = "Outcome of activation";
    wantedBy = [ "multi-user.target" ];
    unitConfig.ConditionPathExists = "/run/esker/activation-failed";
    restartIfChanged = false;
    serviceConfig = {
      Type = "oneshot";
      ExecStart = [ "/bin/cat /run/esker/activation-failed" "/bin/false" ];
    };
  };
}
