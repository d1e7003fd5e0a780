# `services.timesyncd`: the clock, by NTP.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types mkIf;
  cfg = config.services.timesyncd;
in
{
  options.services.timesyncd = {
    enable = mkOption { type = types.bool; default = true; description = "Whether systemd-timesyncd sets the clock."; };
    servers = mkOption { type = types.nullOr (types.listOf types.str); default = config.networking.timeServers; defaultText = lib.literalExpression "config.networking.timeServers"; description = "Time servers."; };
    fallbackServers = mkOption { type = types.nullOr (types.listOf types.str); default = null; description = "Time servers for when no other answers."; };
    extraConfig = mkOption { type = types.lines; default = ""; description = "More lines of timesyncd.conf."; };
  };
  options.networking.timeServers = mkOption { type = types.listOf types.str; default = [ ]; description = "Time servers. Empty: those that Debian configures."; };

  config = mkIf cfg.enable {
    environment.systemPackages = [ pkgs.systemd-timesyncd ];
    # Not what the package enables: its systemd-time-wait-sync holds up every timer until a server answers.
    systemd.enabledPackageUnits = [ "systemd-timesyncd.service" ];
    environment.etc."systemd/timesyncd.conf.d/10-esker.conf".text = ''
      [Time]
      ${lib.optionalString (cfg.servers != null && cfg.servers != [ ]) "NTP=${lib.concatStringsSep " " cfg.servers}"}
      ${lib.optionalString (cfg.fallbackServers != null) "FallbackNTP=${lib.concatStringsSep " " cfg.fallbackServers}"}
      ${cfg.extraConfig}
    '';
  };
}
