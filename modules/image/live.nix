# `image.live`: a system whose store is one compressed file, on a medium or in the initrd, under a root in memory. What it
# writes is gone when it stops. Set by `image.modules`, for images; nobody sets it for a machine with a disk.
{ lib, config, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.image.live;
  label = config.isoImage.volumeID;

  # The characters that a label has.
  fits = c: builtins.match "[A-Z0-9_]" c != null;
  labelOf = name: lib.substring 0 32 (
    lib.concatMapStrings (c: if fits c then c else "_") (lib.stringToCharacters (lib.toUpper "esker-${name}"))
  );
in
{
  options.image.live = {
    enable = mkOption { type = types.bool; default = false; description = "Whether the store is one read-only file."; };
    fromMedium = mkOption { type = types.bool; default = false; description = "Whether that file is on a CD-ROM or a USB stick, and not in the initrd."; };
    drivers = mkOption {
      type = types.listOf types.str;
      default = [ "sr_mod" ];
      description = "Modules by which stage 1 finds the medium, beside those that the initrd has anyway.";
    };
  };

  options.isoImage.volumeID = mkOption {
    type = types.strMatching "[A-Z0-9_]{1,32}";
    default = labelOf config.networking.hostName;
    defaultText = "ESKER_ and the host's name";
    description = "The label of the medium, by which stage 1 finds it: two media with one label must not be in one machine.";
  };

  config = lib.mkIf cfg.enable {
    # What the configuration says of a machine's own disks is of another machine.
    fileSystems = lib.mkImageMediaOverride {
      "/" = { device = "tmpfs"; fsType = "tmpfs"; options = [ "mode=755" "size=50%" ]; };
      "/nix" = { device = "tmpfs"; fsType = "tmpfs"; options = [ "mode=755" "size=50%" ]; };
    };
    swapDevices = lib.mkImageMediaOverride [ ];
    boot.initrd = {
      availableKernelModules = lib.optionals cfg.fromMedium cfg.drivers;
      kernelModules = [ "loop" ] ++ lib.optional cfg.fromMedium "isofs";
    };
    system.build.liveStore = {
      medium = if cfg.fromMedium then "LABEL=${label}" else null;
      file = "/esker/store.erofs";
    };
  };
}
