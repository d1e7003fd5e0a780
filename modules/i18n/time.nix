# `time.*`: the time zone and the hardware clock.
{ lib, config, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.time;
in
{
  options.time = {
    timeZone = mkOption {
      type = types.nullOr (types.strMatching "[^ ]*");
      default = null;
      example = "Europe/Amsterdam";
      description = "The time zone, by its name in /usr/share/zoneinfo. `null` is UTC.";
    };
    hardwareClockInLocalTime = mkOption {
      type = types.bool;
      default = false;
      description = "Whether the hardware clock runs in local time.";
    };
  };

  config.environment.etc = {
    localtime.link = "/usr/share/zoneinfo/${if cfg.timeZone == null then "Etc/UTC" else cfg.timeZone}";
    timezone.text = "${if cfg.timeZone == null then "Etc/UTC" else cfg.timeZone}\n";
  } // lib.optionalAttrs cfg.hardwareClockInLocalTime {
    adjtime.text = "0.0 0 0.0\n0\nLOCAL\n";
  };
}
