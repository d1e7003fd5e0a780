# `services.timesyncd`: the clock, by NTP.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types mkIf;
  cfg = config.services.timesyncd;
  text = import ../systemd/unit-text.nix { inherit lib pkgs; };
  unit = import ../systemd/unit-options.nix { inherit lib pkgs; };
in
{
  options.services.timesyncd = {
    enable = mkOption { type = types.bool; default = true; description = "Whether systemd-timesyncd sets the clock."; };
    servers = mkOption { type = types.nullOr (types.listOf types.str); default = config.networking.timeServers; defaultText = lib.literalExpression "config.networking.timeServers"; description = "Time servers."; };
    fallbackServers = mkOption { type = types.nullOr (types.listOf types.str); default = null; description = "Time servers for when no other answers."; };
    settings.Time = mkOption { type = unit.section; default = { }; example = { PollIntervalMaxSec = "1h"; }; description = "Settings, as in timesyncd.conf(5)."; };
    extraConfig = mkOption { type = types.lines; default = ""; description = "More lines of timesyncd.conf."; };
  };
  options.networking.timeServers = mkOption { type = types.listOf types.str; default = [ ]; description = "Time servers. Empty: those that Debian configures."; };

  config = mkIf cfg.enable {
    services.timesyncd.settings.Time = {
      NTP = mkIf (cfg.servers != null && cfg.servers != [ ]) (lib.mkDefault (lib.concatStringsSep " " cfg.servers));
      FallbackNTP = mkIf (cfg.fallbackServers != null) (lib.mkDefault (lib.concatStringsSep " " cfg.fallbackServers));
    };
    environment.systemPackages = [ pkgs.systemd-timesyncd ];
    # Not what the package enables: its systemd-time-wait-sync holds up every timer until a server answers.
    systemd.enabledPackageUnits = [ "systemd-timesyncd.service" ];
    environment.etc."systemd/timesyncd.conf.d/10-esker.conf".text = text.section "Time" cfg.settings.Time + cfg.extraConfig;
  };
}
