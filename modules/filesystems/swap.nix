# `swapDevices`: swap partitions and files. fstab's lines are in filesystems.nix; here a file of a declared size is made.
{ lib, config, ... }:

let
  inherit (lib) mkOption types;
  files = lib.filter (s: s.size != null) config.swapDevices;
  unitOf = s: lib.strings.escapeSystemdPath s.device;
in
{
  options.swapDevices = mkOption {
    default = [ ];
    example = [ { device = "/dev/disk/by-label/swap"; } ];
    description = "Swap partitions and files.";
    type = types.listOf (types.submodule ({ config, ... }: {
      options = {
        device = mkOption { type = types.nonEmptyStr; description = "The device or file."; };
        label = mkOption { type = types.nullOr types.str; default = null; description = "The swap area's label, instead of a device."; };
        size = mkOption { type = types.nullOr types.int; default = null; example = 2048; description = "The size in MiB: the device is a file that is made, or made anew, when it is missing or of another size."; };
        priority = mkOption { type = types.nullOr (types.ints.between 0 32767); default = null; description = "Areas of a higher priority are used first."; };
        discardPolicy = mkOption { type = types.nullOr (types.enum [ "once" "pages" "both" ]); default = null; description = "When freed pages are discarded."; };
        options = mkOption { type = types.nonEmptyListOf types.nonEmptyStr; default = [ "defaults" ]; description = "Mount options."; };
      };
      config.device = lib.mkIf (config.label != null) "/dev/disk/by-label/${config.label}";
    }));
  };

  # A swap file persists like anything else: it belongs below a persisted path.
  config.systemd.services = lib.listToAttrs (map (s: lib.nameValuePair "mkswap-${unitOf s}" {
    description = "Make the swap file ${s.device}";
    requiredBy = [ "${unitOf s}.swap" ];
    before = [ "${unitOf s}.swap" "shutdown.target" ];
    conflicts = [ "shutdown.target" ];
    restartIfChanged = false;
    unitConfig = {
      DefaultDependencies = false;
      RequiresMountsFor = builtins.dirOf s.device;
    };
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
      UMask = "0177";
    };
    # Without holes and, on btrfs, without copy-on-write: the kernel swaps to the blocks themselves.
    script = ''
      file=${lib.escapeShellArg s.device}
      bytes=$((${toString s.size} * 1024 * 1024))
      [ "$(stat -c %s "$file" 2>/dev/null)" != "$bytes" ] || exit 0
      rm -f "$file"
      truncate -s 0 "$file"
      chattr +C "$file" 2>/dev/null || true
      fallocate -l "$bytes" "$file" || dd if=/dev/zero of="$file" bs=1M count=${toString s.size} status=none
      mkswap "$file"
    '';
  }) files);
}
