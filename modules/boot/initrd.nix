# Stage 1: which modules the initrd carries and loads, and what it needs to know of the disk.
#
# The initrd names no toplevel, so that generations with the same kernel and modules share one.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.boot.initrd;
  kernel = config.boot.kernelPackages;

  early = lib.filter (fs: fs.neededForBoot && fs.mountPoint != "/") (lib.attrValues config.fileSystems);

  # The module that a filesystem type needs, where it is not the type's own name.
  moduleOf = type: { vfat = [ "vfat" "nls_cp437" "nls_ascii" ]; ext4 = [ "ext4" ]; btrfs = [ "btrfs" ]; xfs = [ "xfs" ]; tmpfs = [ ]; }.${type} or [ type ];
in
{
  options.boot.initrd = {
    availableKernelModules = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "nvme" "ahci" ];
      description = "Modules that the initrd carries and loads for hardware that asks for them.";
    };
    availableDrivers = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "drivers/scsi/qla2xxx/*" "!drivers/usb/*" ];
      description = ''
        The same by patterns of the modules' files below `kernel/`; the last pattern that matches a file decides, and one
        that begins with `!` decides against it. A pattern may match nothing.
      '';
    };
    kernelModules = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "Modules that the initrd always loads.";
    };
    includeDefaultModules = mkOption {
      type = types.bool;
      default = true;
      description = "Whether the initrd carries the usual drivers of disks: those of virtual machines, and with a kernel for any machine those of real ones.";
    };
    prepend = mkOption {
      type = types.listOf types.path;
      default = [ ];
      description = "Archives put uncompressed before the initrd.";
    };
    supportedFilesystems = mkOption {
      type = types.coercedTo (types.attrsOf types.bool) (set: lib.attrNames (lib.filterAttrs (_: on: on) set)) (types.listOf types.str);
      default = [ ];
      description = "Filesystems that the initrd can mount.";
    };
  };

  config = {
    boot.initrd = {
      availableKernelModules = lib.optionals cfg.includeDefaultModules [
        "virtio_blk" "virtio_pci" "virtio_scsi" "nvme" "ahci" "sd_mod"
      ];
      availableDrivers = lib.mkIf cfg.includeDefaultModules (lib.mkBefore kernel.storageDrivers);
      kernelModules = [ "erofs" "overlay" ] ++ lib.concatMap moduleOf cfg.supportedFilesystems;
      supportedFilesystems = map (fs: fs.fsType) early;
    };

    system.build.initrd = derivation {
      name = "initrd-${kernel.kernel.modDirVersion}";
      system = "builtin";
      builder = "builtin:initrd";
      __structuredAttrs = true;
      runtime = pkgs.runtime;
      moduleTrees = [ "${kernel.modules}" ];
      modules = lib.unique (cfg.availableKernelModules ++ cfg.kernelModules);
      load = lib.unique cfg.kernelModules;
      drivers = cfg.availableDrivers;
      prepend = map (p: "${p}") cfg.prepend;
      settings = {
        version = 1;
        filesystems = map (fs: {
          inherit (fs) mountPoint fsType options;
          device = if fs.device == null then fs.label else fs.device;
        }) early;
        stateDirectory = config.environment.persistence.directory;
        live = config.system.build.liveStore or null;
        store = config.system.build.storeKind or "own";
      };
    };
  };
}
