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
    wrappers = lib.mapAttrsToList (name: w: {
      inherit name;
      inherit (w) source owner group permissions capabilities;
    }) (lib.filterAttrs (_: w: w.enable) config.security.wrappers);
  };
}
