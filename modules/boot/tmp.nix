# `boot.tmp`: /tmp. With a root in memory it is empty at each boot whatever is said here; Debian's systemd mounts a tmpfs
# of its own there.
{ lib, config, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.boot.tmp;
in
{
  options.boot.tmp = {
    useTmpfs = mkOption { type = types.bool; default = true; description = "Whether /tmp is a tmpfs of its own."; };
    tmpfsSize = mkOption { type = types.oneOf [ types.str types.ints.positive ]; default = "50%"; description = "Its size, in bytes or of the memory."; };
    cleanOnBoot = mkOption { type = types.bool; default = false; description = "Whether /tmp is emptied at boot, where it is on a disk."; };
  };

  config = lib.mkMerge [
    (lib.mkIf (!cfg.useTmpfs) { systemd.suppressedSystemUnits = [ "tmp.mount" ]; })
    (lib.mkIf (cfg.useTmpfs && cfg.tmpfsSize != "50%") {
      environment.etc."systemd/system/tmp.mount.d/10-esker.conf".text = ''
        [Mount]
        Options=mode=1777,strictatime,nosuid,nodev,size=${toString cfg.tmpfsSize},nr_inodes=1m
      '';
    })
    (lib.mkIf cfg.cleanOnBoot { systemd.tmpfiles.rules = [ "D! /tmp 1777 root root" ]; })
  ];
}
