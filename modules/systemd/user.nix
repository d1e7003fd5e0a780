# `systemd.user.*`: units of each user's own manager.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption;
  unit = import ./unit-options.nix { inherit lib pkgs; };
  text = import ./unit-text.nix { inherit lib pkgs; };
  cfg = config.systemd.user;

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
  };

  config.environment.etc = text.entriesOf "systemd/user" {
    service = cfg.services;
    socket = cfg.sockets;
    timer = cfg.timers;
    path = cfg.paths;
    target = cfg.targets;
    slice = cfg.slices;
  };
}
