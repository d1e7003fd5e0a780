# `systemd.user.*`: units of each user's own manager.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  unit = import ./unit-options.nix { inherit lib pkgs; };
  text = import ./unit-text.nix { inherit lib pkgs; };
  cfg = config.systemd.user;

  rules = cfg.tmpfiles.rules;
  perUser = lib.filterAttrs (_: u: u.rules != [ ]) cfg.tmpfiles.users;
  lines = lib.concatMapStrings (rule: rule + "\n");

  unitsOption = kind: description: mkOption {
    type = unit.unitsOf kind;
    default = { };
    inherit description;
  };
in
{
  options.systemd.user = {
    services = unitsOption unit.service "Services of users.";
    sockets = unitsOption unit.socket "Sockets of users.";
    timers = unitsOption unit.timer "Timers of users.";
    paths = unitsOption unit.path "Paths of users.";
    targets = unitsOption { } "Targets of users.";
    slices = unitsOption unit.slice "Slices of users.";
    extraConfig = mkOption { type = types.lines; default = ""; example = "DefaultTimeoutStopSec=60"; description = "Lines for user.conf."; };
    tmpfiles.rules = mkOption { type = types.listOf types.str; default = [ ]; example = [ "D %C - - - 7d" ]; description = "Lines of user-tmpfiles.d(5), for all users."; };
    tmpfiles.users = mkOption {
      default = { };
      description = "The same for single users.";
      type = types.attrsOf (types.submodule {
        options.rules = mkOption { type = types.listOf types.str; default = [ ]; description = "Lines of user-tmpfiles.d(5)."; };
      });
    };
  };

  config.environment.etc = text.entriesOf "systemd/user" {
    service = cfg.services;
    socket = cfg.sockets;
    timer = cfg.timers;
    path = cfg.paths;
    target = cfg.targets;
    slice = cfg.slices;
  }
  // lib.optionalAttrs (cfg.extraConfig != "") { "systemd/user.conf.d/10-esker.conf".text = "[Manager]\n${cfg.extraConfig}"; }
  // lib.optionalAttrs (rules != [ ]) { "user-tmpfiles.d/00-nixos.conf".text = lines rules; }
  // lib.mapAttrs' (name: u: lib.nameValuePair "systemd/user-tmpfiles-of/${name}.conf" { text = lines u.rules; }) perUser;

  # systemd's own unit knows the files of all users only.
  config.systemd.user.services = lib.mkIf (rules != [ ] || perUser != { }) {
    esker-user-tmpfiles = {
      description = "Create the user's declared files and folders";
      wantedBy = [ "basic.target" ];
      before = [ "basic.target" "shutdown.target" ];
      conflicts = [ "shutdown.target" ];
      unitConfig.DefaultDependencies = false;
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        SuccessExitStatus = "DATAERR";
      };
      script = ''
        systemd-tmpfiles --user --create --remove --boot
        own="/etc/systemd/user-tmpfiles-of/$(id -un).conf"
        [ ! -e "$own" ] || systemd-tmpfiles --user --create --remove --boot "$own"
      '';
    };
  };
}
