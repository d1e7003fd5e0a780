# `fileSystems`: what is mounted where. The root is a tmpfs unless it is declared otherwise; /nix is on the disk.
{ lib, config, ... }:

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
        options = mkOption { type = types.listOf types.str; default = [ "defaults" ]; description = "Mount options."; };
        depends = mkOption { type = types.listOf types.str; default = [ ]; description = "Mount points that must be there before."; };
        neededForBoot = mkOption { type = types.bool; default = false; description = "Whether stage 1 mounts it."; };
        noCheck = mkOption { type = types.bool; default = false; description = "Whether it is not checked before it is mounted."; };
        autoFormat = mkOption { type = types.bool; default = false; description = "Whether an empty device is formatted."; };
        autoResize = mkOption { type = types.bool; default = false; description = "Whether it grows to its device."; };
      };
      config = {
        neededForBoot = lib.mkIf (lib.elem config.mountPoint pathsNeededForBoot) true;
        device = lib.mkIf (config.label != null) (mkDefault "/dev/disk/by-label/${config.label}");
      };
    };

  all = lib.attrValues config.fileSystems;
  late = lib.filter (fs: !fs.neededForBoot) all;

  escape = lib.replaceStrings [ " " "\t" ] [ "\\040" "\\011" ];
  fstabLine = fs:
    "${escape fs.device} ${escape fs.mountPoint} ${fs.fsType} ${escape (lib.concatStringsSep "," fs.options)} 0 "
    + (if fs.noCheck || lib.elem fs.fsType [ "tmpfs" "vfat" "none" "overlay" "virtiofs" "9p" "btrfs" ] then "0" else "2");
  swapLine = s: "${escape s.device} none swap ${lib.concatStringsSep "," s.options} 0 0";
in
{
  options.fileSystems = mkOption {
    type = types.attrsOf (types.submodule fileSystem);
    default = { };
    example = lib.literalExpression ''{ "/data" = { device = "LABEL=data"; fsType = "ext4"; }; }'';
    description = "Filesystems to mount.";
  };

  config = {
    # The layout of the images that Esker makes.
    fileSystems."/" = mkDefault { device = "tmpfs"; fsType = "tmpfs"; options = [ "mode=755" "size=50%" ]; };
    fileSystems."/nix" = mkDefault { device = "LABEL=esker-nix"; fsType = "ext4"; options = [ "noatime" ]; };
    fileSystems.${config.boot.loader.efi.efiSysMountPoint} = mkDefault {
      device = "LABEL=ESP";
      fsType = "vfat";
      options = [ "umask=0077" "nofail" "x-systemd.automount" "x-systemd.idle-timeout=60" ];
      noCheck = true;
    };

    environment.etc.fstab.text = lib.concatMapStrings (l: l + "\n") (map fstabLine late ++ map swapLine config.swapDevices);

    assertions = map (fs: {
      assertion = fs.device != null;
      message = "fileSystems.\"${fs.mountPoint}\" has neither `device` nor `label`";
    }) all;
  };
}
