# `services.journald`.
{ lib, config, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.services.journald;
in
{
  options.services.journald = {
    storage = mkOption { type = types.enum [ "persistent" "volatile" "auto" "none" ]; default = "persistent"; description = "Where the journal is kept."; };
    rateLimitInterval = mkOption { type = types.str; default = "30s"; description = "The interval of the rate limit."; };
    rateLimitBurst = mkOption { type = types.int; default = 10000; description = "How many messages of one service within the interval."; };
    console = mkOption { type = types.str; default = ""; description = "A terminal that shows all messages."; };
    extraConfig = mkOption { type = types.lines; default = ""; example = "SystemMaxUse=500M"; description = "More lines of journald.conf."; };
  };

  config.environment.etc."systemd/journald.conf.d/10-esker.conf".text = ''
    [Journal]
    Storage=${cfg.storage}
    RateLimitInterval=${cfg.rateLimitInterval}
    RateLimitBurst=${toString cfg.rateLimitBurst}
    ${lib.optionalString (cfg.console != "") "ForwardToConsole=yes\nTTYPath=${cfg.console}"}
    ${cfg.extraConfig}
  '';
}
