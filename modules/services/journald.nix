# `services.journald`.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.services.journald;
  text = import ../systemd/unit-text.nix { inherit lib pkgs; };
  unit = import ../systemd/unit-options.nix { inherit lib pkgs; };
in
{
  options.services.journald = {
    storage = mkOption { type = types.enum [ "persistent" "volatile" "auto" "none" ]; default = "persistent"; description = "Where the journal is kept."; };
    rateLimitInterval = mkOption { type = types.str; default = "30s"; description = "The interval of the rate limit."; };
    rateLimitBurst = mkOption { type = types.int; default = 10000; description = "How many messages of one service within the interval; 0 is no limit."; };
    console = mkOption { type = types.str; default = ""; example = "/dev/tty12"; description = "A terminal that shows all messages."; };
    audit = mkOption { type = types.nullOr (types.either types.bool (types.enum [ "keep" ])); default = null; description = "Whether the kernel's audit messages are turned on; `null` leaves it to systemd."; };
    forwardToSyslog = mkOption { type = types.bool; default = config.services.rsyslogd.enable; defaultText = lib.literalExpression "config.services.rsyslogd.enable"; description = "Whether a syslog daemon gets the messages."; };
    settings.Journal = mkOption { type = unit.section; default = { }; example = { SystemMaxUse = "500M"; }; description = "Settings, as in journald.conf(5)."; };
    extraConfig = mkOption { type = types.lines; default = ""; example = "SystemMaxUse=500M"; description = "More lines of journald.conf."; };
  };
  options.services.rsyslogd = {
    enable = mkOption { type = types.bool; default = false; description = "Whether rsyslog writes text files of the messages to /var/log."; };
    extraConfig = mkOption { type = types.lines; default = ""; example = "news.* -/var/log/news"; description = "More lines of rsyslog.conf."; };
  };

  config = lib.mkMerge [
    {
      services.journald.settings.Journal = lib.mapAttrs (_: lib.mkDefault) (
        {
          Storage = cfg.storage;
          RateLimitIntervalSec = cfg.rateLimitInterval;
          RateLimitBurst = cfg.rateLimitBurst;
          ForwardToSyslog = cfg.forwardToSyslog;
        }
        // lib.optionalAttrs (cfg.console != "") { ForwardToConsole = true; TTYPath = cfg.console; }
        // lib.optionalAttrs (cfg.audit != null) { Audit = cfg.audit; }
      );
      environment.etc."systemd/journald.conf.d/10-esker.conf".text = text.section "Journal" cfg.settings.Journal + cfg.extraConfig;
    }
    (lib.mkIf config.services.rsyslogd.enable {
      environment.systemPackages = [ pkgs.rsyslog ];
      systemd.packages = [ pkgs.rsyslog ];
      environment.etc."rsyslog.d/50-esker.conf".text = config.services.rsyslogd.extraConfig;
    })
  ];
}
