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

  named = mounts: lib.listToAttrs (map (m: lib.nameValuePair (lib.strings.escapeSystemdPath m.where) m) mounts);

  # `startAt` makes a timer.
  timersOfServices = lib.mapAttrs (name: s: {
    wantedBy = [ "timers.target" ];
    timerConfig.OnCalendar = s.startAt;
  }) (lib.filterAttrs (_: s: s.enable && s.startAt != [ ]) cfg.services);

  environment = key: variables: lib.optionalAttrs (variables != { }) {
    ${key} = lib.concatStringsSep " " (lib.mapAttrsToList (n: v: builtins.toJSON "${n}=${toString v}") variables);
  };

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
    units = mkOption {
      default = { };
      description = "Units by their whole name, as text.";
      type = types.attrsOf (types.submodule {
        options = {
          enable = mkOption { type = types.bool; default = true; description = "Whether the unit exists; a unit that is off is masked."; };
          text = mkOption { type = types.nullOr types.lines; default = null; description = "The unit's text."; };
          overrideStrategy = mkOption { type = types.enum [ "asDropinIfExists" "asDropin" ]; default = "asDropinIfExists"; description = "Whether the text is the unit or always a drop-in of a package's unit."; };
          wantedBy = mkOption { type = types.listOf types.str; default = [ ]; description = "Units that want this one."; };
          requiredBy = mkOption { type = types.listOf types.str; default = [ ]; description = "Units that require this one."; };
          upheldBy = mkOption { type = types.listOf types.str; default = [ ]; description = "Units that uphold this one."; };
          aliases = mkOption { type = types.listOf types.str; default = [ ]; description = "Other names of the unit."; };
        };
      });
    };
    generators = mkOption {
      type = types.attrsOf types.path;
      default = { };
      example = { systemd-gpt-auto-generator = "/dev/null"; };
      description = "Generators of units; `/dev/null` turns a package's off.";
    };
    shutdown = mkOption {
      type = types.attrsOf types.path;
      default = { };
      description = "Programs that systemd runs when everything else has ended.";
    };
    ctrlAltDelUnit = mkOption {
      type = types.str;
      default = "reboot.target";
      example = "poweroff.target";
      description = "What Ctrl-Alt-Del on the console does.";
    };
    sleep.extraConfig = mkOption {
      type = types.lines;
      default = "";
      example = "HibernateDelaySec=1h";
      description = "Lines for sleep.conf.";
    };
    watchdog = {
      device = mkOption { type = types.nullOr types.path; default = null; description = "The watchdog's device."; };
      runtimeTime = mkOption { type = types.nullOr types.str; default = null; example = "30s"; description = "After how long a hung system is reset."; };
      rebootTime = mkOption { type = types.nullOr types.str; default = null; example = "30s"; description = "After how long a hung reboot is."; };
    };
    globalEnvironment = mkOption {
      type = types.attrsOf (types.nullOr (types.oneOf [ types.str types.path types.package ]));
      default = { };
      example = { TZ = "CET"; };
      description = "Environment variables of all units.";
    };
    managerEnvironment = mkOption {
      type = types.attrsOf (types.nullOr (types.oneOf [ types.str types.path types.package ]));
      default = { };
      example = { SYSTEMD_LOG_LEVEL = "debug"; };
      description = "Environment variables of systemd itself.";
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
    systemd.settings.Manager = {
      WatchdogDevice = lib.mkIf (cfg.watchdog.device != null) cfg.watchdog.device;
      RuntimeWatchdogSec = lib.mkIf (cfg.watchdog.runtimeTime != null) cfg.watchdog.runtimeTime;
      RebootWatchdogSec = lib.mkIf (cfg.watchdog.rebootTime != null) cfg.watchdog.rebootTime;
    };

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
    } // text.rawEntriesOf "systemd/system" cfg.units
    // lib.mapAttrs' (name: path: lib.nameValuePair "systemd/system-generators/${name}" { link = "${path}"; }) cfg.generators
    // lib.mapAttrs' (name: path: lib.nameValuePair "systemd/system-shutdown/${name}" { link = "${path}"; }) cfg.shutdown
    // lib.optionalAttrs (cfg.ctrlAltDelUnit != "reboot.target") {
      "systemd/system/ctrl-alt-del.target".link = "/usr/lib/systemd/system/${cfg.ctrlAltDelUnit}";
    } // lib.optionalAttrs (cfg.sleep.extraConfig != "") {
      "systemd/sleep.conf.d/10-esker.conf".text = "[Sleep]\n${cfg.sleep.extraConfig}";
    } // lib.optionalAttrs (!cfg.enableEmergencyMode) {
      "systemd/system/emergency.target".link = "/dev/null";
      "systemd/system/emergency.service".link = "/dev/null";
    } // {
      "systemd/system.conf.d/10-esker.conf".text = text.section "Manager" (
        manager
        // environment "DefaultEnvironment" cfg.globalEnvironment
        // environment "ManagerEnvironment" cfg.managerEnvironment
      ) + cfg.extraConfig;
    };
  };
}
