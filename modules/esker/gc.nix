# `esker.gc`: collecting garbage on its own.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types mkIf;
  cfg = config.esker.gc;
in
{
  options.esker.gc = {
    automatic = mkOption {
      type = types.bool;
      default = false;
      description = "Whether old generations and what only they need are deleted regularly.";
    };
    dates = mkOption {
      type = types.either types.str (types.listOf types.str);
      default = "03:15";
      description = "When, as calendar events of systemd.time(7).";
    };
    randomizedDelaySec = mkOption {
      type = types.str;
      default = "0";
      description = "Up to how long the start is put off.";
    };
    persistent = mkOption {
      type = types.bool;
      default = true;
      description = "Whether a missed run is made up for.";
    };
    options = mkOption {
      type = types.str;
      default = "";
      example = "--delete-older-than 30d";
      description = "Arguments of `esker gc`.";
    };
  };

  config = mkIf cfg.automatic {
    systemd.services.esker-gc = {
      description = "Collection of the store's garbage";
      serviceConfig = {
        Type = "oneshot";
        ExecStart = "/run/current-system/runtime/bin/esker gc ${cfg.options}";
        IOSchedulingClass = "idle";
      };
      restartIfChanged = false;
    };
    systemd.timers.esker-gc = {
      description = "Regular collection of the store's garbage";
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = lib.toList cfg.dates;
        RandomizedDelaySec = cfg.randomizedDelaySec;
        Persistent = cfg.persistent;
      };
    };
  };
}
