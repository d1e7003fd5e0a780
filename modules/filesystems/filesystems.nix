# `fileSystems`: what is mounted where. The root is a tmpfs unless it is declared otherwise; /nix is on the disk.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types mkDefault;

  # Without these no system boots: stage 1 mounts them.
  pathsNeededForBoot = [ "/" "/nix" "/nix/store" "/var" "/var/log" "/var/lib" "/etc" "/usr" ];

  fileSystem =
    { name, config, ... }:
    {
      options = {
        mountPoint = mkOption { type = types.str; default = name; description = "Where it is mounted."; };
        device = mkOption { type = types.nullOr types.str; default = null; example = "/dev/sda"; description = "The device: a path, or `LABEL=…`, `UUID=…`, `PARTUUID=…`."; };
        label = mkOption { type = types.nullOr types.str; default = null; description = "The filesystem's label, instead of a device."; };
        fsType = mkOption { type = types.str; default = "auto"; description = "The filesystem's type."; };
        options = mkOption { type = types.nonEmptyListOf types.nonEmptyStr; default = [ "defaults" ]; description = "Mount options."; };
        depends = mkOption { type = types.listOf types.str; default = [ ]; example = [ "/data" ]; description = "Mount points that must be there before, beside those that its own path and a device below a mount point tell."; };
        neededForBoot = mkOption { type = types.bool; default = false; description = "Whether stage 1 mounts it."; };
        noCheck = mkOption { type = types.bool; default = false; description = "Whether it is not checked before it is mounted."; };
        autoFormat = mkOption { type = types.bool; default = false; description = "Whether an empty device is formatted."; };
        autoResize = mkOption { type = types.bool; default = false; description = "Whether it grows to its device."; };
      };
      config = {
        neededForBoot = lib.mkIf (lib.elem config.mountPoint pathsNeededForBoot) true;
        device = lib.mkIf (config.label != null) (mkDefault "/dev/disk/by-label/${config.label}");
        # systemd makes the filesystem on an empty device, and grows it, before it mounts.
        options = lib.mkMerge [
          (lib.mkIf config.autoFormat [ "x-systemd.makefs" ])
          (lib.mkIf config.autoResize [ "x-systemd.growfs" ])
          (lib.mkIf (config.depends != [ ]) (map (where: "x-systemd.requires-mounts-for=${where}") config.depends))
        ];
      };
    };

  all = lib.attrValues config.fileSystems;
  # fstab's generator never sees these, so what it would make of their options is made here.
  growing = lib.filter (fs: fs.neededForBoot && fs.autoResize && fs.fsType != "tmpfs") all;
  growfs = fs: if fs.mountPoint == "/" then "systemd-growfs-root.service" else "systemd-growfs@${lib.strings.escapeSystemdPath fs.mountPoint}.service";
  late = lib.filter (fs: !fs.neededForBoot) all;

  # What checks, makes and resizes filesystems; programs of mount(8) look for it by name.
  programsOf = {
    ext2 = [ "e2fsprogs" ]; ext3 = [ "e2fsprogs" ]; ext4 = [ "e2fsprogs" ];
    vfat = [ "dosfstools" ]; exfat = [ "exfatprogs" ]; ntfs = [ "ntfs-3g" ]; ntfs3 = [ "ntfs-3g" ];
    btrfs = [ "btrfs-progs" ]; xfs = [ "xfsprogs" ]; f2fs = [ "f2fs-tools" ];
    nfs = [ "nfs-common" ]; nfs4 = [ "nfs-common" ]; cifs = [ "cifs-utils" ];
  };
  supported = lib.attrNames (lib.filterAttrs (_: on: on) config.boot.supportedFilesystems);

  escape = lib.replaceStrings [ " " "\t" ] [ "\\040" "\\011" ];
  fstabLine = fs:
    "${escape fs.device} ${escape fs.mountPoint} ${fs.fsType} ${escape (lib.concatStringsSep "," fs.options)} 0 "
    + (if fs.noCheck || lib.elem fs.fsType [ "tmpfs" "vfat" "none" "overlay" "virtiofs" "9p" "btrfs" ] then "0" else "2");
  swapOptions = s: s.options
    ++ lib.optional (s.priority != null) "pri=${toString s.priority}"
    ++ lib.optional (s.discardPolicy != null) "discard${lib.optionalString (s.discardPolicy != "both") "=${s.discardPolicy}"}";
  swapLine = s: "${escape s.device} none swap ${lib.concatStringsSep "," (swapOptions s)} 0 0";
in
{
  options.fileSystems = mkOption {
    type = types.attrsOf (types.submodule fileSystem);
    default = { };
    example = lib.literalExpression ''{ "/data" = { device = "LABEL=data"; fsType = "ext4"; }; }'';
    description = "Filesystems to mount.";
  };

  options.boot.supportedFilesystems = mkOption {
    type = types.coercedTo (types.listOf types.str) (names: lib.genAttrs names (_: true)) (types.attrsOf types.bool);
    default = { };
    example = [ "btrfs" "ntfs" ];
    description = "Filesystems whose programs are installed, beside those of `fileSystems`.";
  };

  config = {
    boot.supportedFilesystems = lib.genAttrs (map (fs: fs.fsType) all) (_: mkDefault true);
    environment.systemPackages = map (n: pkgs.${n}) (lib.unique (lib.concatMap (type: programsOf.${type} or [ ]) supported));

    # The layout of the images that Esker makes.
    fileSystems."/" = mkDefault { device = "tmpfs"; fsType = "tmpfs"; options = [ "mode=755" "size=50%" ]; };
    # Disks that are declared say where the store is; it may be in the root.
    fileSystems."/nix" = lib.mkIf (config.disko.devices.disk == { }) (mkDefault { device = "LABEL=esker-nix"; fsType = "ext4"; options = [ "noatime" ]; });
    fileSystems.${config.boot.loader.efi.efiSysMountPoint} = mkDefault {
      device = "LABEL=ESP";
      fsType = "vfat";
      options = [ "umask=0077" "nofail" "x-systemd.automount" "x-systemd.idle-timeout=60" ];
      noCheck = true;
    };

    environment.etc.fstab.text = lib.concatMapStrings (l: l + "\n") (map fstabLine late ++ map swapLine config.swapDevices);

    systemd.targets = lib.mkIf (growing != [ ]) {
      local-fs.wants = map growfs growing;
    };

    assertions = map (fs: {
      assertion = !(fs.neededForBoot && fs.autoFormat);
      message = "fileSystems.\"${fs.mountPoint}\".autoFormat: stage 1 mounts it and makes no filesystems";
    }) all ++ map (fs: {
      assertion = fs.device != null;
      message = "fileSystems.\"${fs.mountPoint}\" has neither `device` nor `label`";
    }) all;
  };
}
