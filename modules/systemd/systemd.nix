# `systemd.*`: units of the system manager, and the manager's own settings.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  unit = import ./unit-options.nix { inherit lib pkgs; };
  text = import ./unit-text.nix { inherit lib pkgs; };
  cfg = config.systemd;

  unitsOption = kind: description: mkOption {
    type = unit.unitsOf kind;
    default = { };
    inherit description;
  };

  mountName = where: lib.replaceStrings [ "/" ] [ "-" ] (lib.removePrefix "/" where);
  named = mounts: lib.listToAttrs (map (m: lib.nameValuePair (mountName m.where) m) mounts);

  # `startAt` makes a timer.
  timersOfServices = lib.mapAttrs (name: s: {
    wantedBy = [ "timers.target" ];
    timerConfig.OnCalendar = s.startAt;
  }) (lib.filterAttrs (_: s: s.enable && s.startAt != [ ]) cfg.services);

  manager = lib.filterAttrs (_: v: v != null) cfg.settings.Manager;
in
{
  options.systemd = {
    packages = mkOption {
      type = types.listOf types.package;
      default = [ ];
      description = ''
        Packages whose units take part in the system: what Debian enables when the package is installed is enabled.
        The units of packages that are only installed are there to be started, and start on their own only when a
        socket, a bus name or another unit asks for them.
      '';
    };
    enabledPackageUnits = mkOption {
      type = types.listOf types.str;
      default = [ ];
      internal = true;
      description = "Single units of packages that are enabled, as `systemctl enable` would.";
    };
    services = unitsOption unit.service "Services.";
    sockets = unitsOption unit.socket "Sockets.";
    timers = unitsOption unit.timer "Timers.";
    paths = unitsOption unit.path "Paths.";
    targets = unitsOption { } "Targets.";
    slices = unitsOption unit.slice "Slices.";
    mounts = mkOption {
      type = types.listOf (types.submodule [ unit.common unit.mount ]);
      default = [ ];
      description = "Mounts.";
    };
    automounts = mkOption {
      type = types.listOf (types.submodule [ unit.common unit.automount ]);
      default = [ ];
      description = "Automounts.";
    };
    defaultUnit = mkOption {
      type = types.str;
      default = "multi-user.target";
      description = "The unit that the system starts.";
    };
    suppressedSystemUnits = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "systemd-backlight@.service" ];
      description = "Units of packages that do not exist on this system; they are masked.";
    };
    globalEnvironment = mkOption {
      type = types.attrsOf types.str;
      default = { };
      description = "Environment variables of all units.";
    };
    enableEmergencyMode = mkOption {
      type = types.bool;
      default = true;
      description = "Whether a failed boot ends in an emergency shell on the console.";
    };
    extraConfig = mkOption {
      type = types.lines;
      default = "";
      description = "Lines for system.conf.";
    };
    settings.Manager = mkOption {
      type = unit.section;
      default = { };
      example = { DefaultTimeoutStopSec = "20s"; };
      description = "Settings of the manager, as in systemd-system.conf(5).";
    };
    build = mkOption {
      type = types.lazyAttrsOf types.raw;
      internal = true;
      default = { };
      description = "What is made of the units.";
    };
  };

  config = {
    systemd.timers = timersOfServices;

    # What `builtin:etc` does with the units of packages.
    systemd.build.units = {
      systemdPackages = lib.unique (map (p: p.pname) cfg.packages);
      enabled = cfg.enabledPackageUnits;
      masked = cfg.suppressedSystemUnits;
      defaultTarget = cfg.defaultUnit;
    };

    environment.etc = text.entriesOf "systemd/system" {
      service = cfg.services;
      socket = cfg.sockets;
      timer = cfg.timers;
      path = cfg.paths;
      target = cfg.targets;
      slice = cfg.slices;
      mount = named cfg.mounts;
      automount = named cfg.automounts;
    } // {
      "systemd/system.conf.d/10-esker.conf".text = text.section "Manager" (
        manager
        // lib.optionalAttrs (cfg.globalEnvironment != { }) {
          ManagerEnvironment = lib.concatStringsSep " " (
            lib.mapAttrsToList (n: v: builtins.toJSON "${n}=${v}") cfg.globalEnvironment
          );
        }
      ) + cfg.extraConfig;
    };
  };
}
