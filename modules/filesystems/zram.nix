# `zramSwap`: swap in compressed memory.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.zramSwap;
  text = import ../systemd/unit-text.nix { inherit lib pkgs; };
  size = "ram * ${toString cfg.memoryPercent} / 100";
in
{
  options.zramSwap = {
    enable = mkOption { type = types.bool; default = false; description = "Whether there is swap in compressed memory."; };
    swapDevices = mkOption { type = types.int; default = 1; description = "How many such devices."; };
    memoryPercent = mkOption { type = types.int; default = 50; description = "What they hold at most, uncompressed, in percent of the memory."; };
    memoryMax = mkOption { type = types.nullOr types.int; default = null; description = "What they hold at most, uncompressed, in bytes."; };
    priority = mkOption { type = types.int; default = 5; description = "Their priority; higher than a disk's."; };
    algorithm = mkOption { type = types.str; default = "zstd"; example = "lz4"; description = "How memory is compressed."; };
    writebackDevice = mkOption { type = types.nullOr types.path; default = null; description = "A disk for what does not compress."; };
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ pkgs.systemd-zram-generator ];
    boot.kernelModules = [ "zram" ];
    environment.etc."systemd/zram-generator.conf".text = lib.concatMapStrings (i: text.section "zram${toString i}" {
      # The generator counts in MiB, NixOS in bytes and for all devices together.
      zram-size = if cfg.memoryMax == null then "(${size}) / ${toString cfg.swapDevices}"
        else "min(${size}, ${toString (cfg.memoryMax / 1048576)}) / ${toString cfg.swapDevices}";
      compression-algorithm = cfg.algorithm;
      swap-priority = cfg.priority;
      writeback-device = cfg.writebackDevice;
    }) (lib.range 0 (cfg.swapDevices - 1));
  };
}
