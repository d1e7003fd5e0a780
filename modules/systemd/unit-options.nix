# Options that systemd's units have in common, and those of each kind. Used by system and user units alike.
{ lib, pkgs }:

let
  inherit (lib) mkOption types mkIf mkMerge;

  # A value in a unit file; a list repeats its key.
  atom = types.nullOr (types.oneOf [ types.bool types.int types.float types.str types.path types.package ]);
  section = types.attrsOf (types.oneOf [ atom (types.listOf atom) ]);

  names = description: mkOption {
    type = types.listOf types.str;
    default = [ ];
    inherit description;
  };

  sectionOption = description: mkOption {
    type = section;
    default = { };
    inherit description;
  };

  common = {
    options = {
      enable = mkOption {
        type = types.bool;
        default = true;
        description = "Whether the unit exists; a unit that is off is masked.";
      };
      overrideStrategy = mkOption {
        type = types.enum [ "asDropinIfExists" "asDropin" ];
        default = "asDropinIfExists";
        description = "Whether the unit is a file of its own or always a drop-in of a package's unit.";
      };
      description = mkOption {
        type = types.str;
        default = "";
        description = "One line that says what the unit is.";
      };
      documentation = names "URIs of documentation.";
      requires = names "Units started with this one, without which it fails.";
      wants = names "Units started with this one.";
      upholds = names "Units kept running while this one runs.";
      after = names "Units that start before this one.";
      before = names "Units that start after this one.";
      bindsTo = names "Units whose end ends this one.";
      partOf = names "Units whose stop or restart is also this one's.";
      conflicts = names "Units that can't run beside this one.";
      requisite = names "Units that must already run.";
      onFailure = names "Units started when this one fails.";
      onSuccess = names "Units started when this one ends well.";
      requiredBy = names "Units that require this one.";
      wantedBy = names "Units that want this one: `multi-user.target` starts it at boot.";
      upheldBy = names "Units that uphold this one.";
      aliases = names "Other names of the unit.";
      unitConfig = sectionOption "Lines of the [Unit] section.";
      restartTriggers = mkOption {
        type = types.listOf types.unspecified;
        default = [ ];
        description = "Values whose change restarts the unit at a switch.";
      };
      reloadTriggers = mkOption {
        type = types.listOf types.unspecified;
        default = [ ];
        description = "Values whose change reloads the unit at a switch.";
      };
      startLimitBurst = mkOption {
        type = types.nullOr types.int;
        default = null;
        description = "How many starts within the interval are too many.";
      };
      startLimitIntervalSec = mkOption {
        type = types.nullOr types.int;
        default = null;
        description = "The interval in which starts are counted, in seconds.";
      };
    };
  };

  flag = default: description: mkOption { type = types.bool; inherit default description; };
  script = description: mkOption { type = types.lines; default = ""; inherit description; };

  service = {
    options = {
      environment = mkOption {
        type = types.attrsOf (types.nullOr (types.oneOf [ types.str types.path types.package ]));
        default = { };
        description = "Environment variables of the processes.";
      };
      path = mkOption {
        type = types.listOf (types.oneOf [ types.package types.str ]);
        default = [ ];
        description = "Packages whose programs are found by name.";
      };
      serviceConfig = sectionOption "Lines of the [Service] section.";
      script = script "A shell script that is the service.";
      scriptArgs = mkOption { type = types.str; default = ""; description = "Arguments of the script."; };
      preStart = script "A shell script run before the service.";
      postStart = script "A shell script run after the service has started.";
      reload = script "A shell script that reloads the service.";
      preStop = script "A shell script run before the service is stopped.";
      postStop = script "A shell script run after the service has stopped.";
      restartIfChanged = flag true "Whether a switch restarts the service when its unit changed.";
      reloadIfChanged = flag false "Whether a switch reloads the service instead.";
      stopIfChanged = flag true "Whether the service is stopped with the old and started with the new configuration.";
      notSocketActivated = flag false "Whether a switch restarts the service although a socket starts it.";
      startAt = mkOption {
        type = types.either types.str (types.listOf types.str);
        default = [ ];
        apply = v: if lib.isList v then v else [ v ];
        description = "Calendar events at which a timer of the same name starts the service.";
      };
    };
  };

  socket.options = {
    listenStreams = names "Stream sockets to listen on.";
    listenDatagrams = names "Datagram sockets to listen on.";
    socketConfig = sectionOption "Lines of the [Socket] section.";
  };
  timer.options.timerConfig = sectionOption "Lines of the [Timer] section.";
  path.options.pathConfig = sectionOption "Lines of the [Path] section.";
  slice.options.sliceConfig = sectionOption "Lines of the [Slice] section.";
  mount.options = {
    what = mkOption { type = types.str; description = "The device."; };
    where = mkOption { type = types.str; description = "The mount point."; };
    type = mkOption { type = types.str; default = ""; description = "The filesystem's type."; };
    options = mkOption { type = types.commas; default = ""; description = "Mount options."; };
    mountConfig = sectionOption "Lines of the [Mount] section.";
  };
  automount.options = {
    where = mkOption { type = types.str; description = "The mount point."; };
    automountConfig = sectionOption "Lines of the [Automount] section.";
  };
in
{
  inherit common service socket timer path slice mount automount section;
  # A kind of unit as a type: { name = { … }; }
  unitsOf = kind: types.attrsOf (types.submodule [ common kind ]);
}
