# `disko.devices`: how disks are partitioned, in disko's words. One declaration makes the partition table of images and the
# entries of `fileSystems` and `swapDevices`. What a layout must not be is said where it is used (images/src/layout.rs).
{ lib, config, ... }:

let
  inherit (lib) mkOption types;
  disks = config.disko.devices.disk;

  size = types.strMatching "[0-9]+[KMGT]?";

  subvolume = { name, ... }: {
    options = {
      name = mkOption { type = types.str; default = name; description = "Its path in the filesystem."; };
      mountpoint = mkOption { type = types.nullOr types.str; default = null; description = "Where it is mounted."; };
      mountOptions = mkOption { type = types.listOf types.str; default = [ "defaults" ]; description = "Mount options."; };
    };
  };

  content.options = {
    type = mkOption { type = types.enum [ "filesystem" "swap" "btrfs" ]; description = "What it is."; };
    format = mkOption { type = types.nullOr types.str; default = null; example = "ext4"; description = "The filesystem's type."; };
    mountpoint = mkOption { type = types.nullOr types.str; default = null; example = "/nix"; description = "Where it is mounted."; };
    mountOptions = mkOption { type = types.listOf types.str; default = [ "defaults" ]; description = "Mount options."; };
    extraArgs = mkOption { type = types.listOf types.str; default = [ ]; example = [ "-L" "nix" ]; description = "Arguments of mkfs."; };
    subvolumes = mkOption { type = types.attrsOf (types.submodule subvolume); default = { }; description = "Subvolumes of btrfs."; };
    priority = mkOption { type = types.nullOr (types.ints.between 0 32767); default = null; description = "Swap of a higher priority is used first."; };
    discardPolicy = mkOption { type = types.nullOr (types.enum [ "once" "pages" "both" ]); default = null; description = "When freed pages of swap are discarded."; };
  };

  partition = disk: { name, config, ... }: {
    options = {
      size = mkOption { type = types.nullOr (types.either (types.enum [ "100%" ]) size); default = null; example = "512M"; description = "Its size, in bytes or with K, M, G or T; `100%` is what the others leave."; };
      start = mkOption { type = types.nullOr size; default = null; example = "1M"; description = "Where it begins; by default behind the one before."; };
      end = mkOption { type = types.nullOr (types.strMatching "-?[0-9]+[KMGT]?"); default = null; example = "-10G"; description = "Where it ends, instead of a size; from the disk's end if negative."; };
      type = mkOption { type = types.str; default = if config.content.type or null == "swap" then "8200" else "8300"; defaultText = ''"8300", or "8200" of swap''; example = "EF00"; description = "Its type: a code of sgdisk, or a GUID."; };
      label = mkOption { type = types.str; default = "disk-${disk}-${name}"; defaultText = "disk-DISK-PARTITION"; description = "Its name in the partition table, by which it is found."; };
      priority = mkOption { type = types.int; default = if config.size == "100%" then 9001 else if config.type == "EF02" then 100 else 1000; defaultText = "1000, 9001 of what takes the rest"; description = "Partitions of a lower priority come first, those of the same by name."; };
      content = mkOption { type = types.nullOr (types.submodule content); default = null; description = "What is in it."; };
    };
  };

  disk = { name, ... }: {
    options = {
      device = mkOption { type = types.str; example = "/dev/nvme0n1"; description = "The disk. An image is of whichever disk it is written to."; };
      type = mkOption { type = types.enum [ "disk" ]; default = "disk"; description = "What it is."; };
      imageSize = mkOption { type = types.nullOr size; default = null; example = "32G"; description = "How large an image of it is, unless `esker image --size` says it; by default what its partitions need, and the store room for more."; };
      content = {
        type = mkOption { type = types.enum [ "gpt" ]; description = "Its partition table."; };
        partitions = mkOption { type = types.attrsOf (types.submodule (partition name)); default = { }; description = "Its partitions."; };
      };
    };
  };

  isBefore = a: b: a.priority < b.priority || a.priority == b.priority && a.name < b.name;
  partitionsOf = d: lib.sort isBefore (lib.mapAttrsToList (name: p: p // { inherit name; }) d.content.partitions);
  all = lib.filter (p: p.content != null) (lib.concatMap partitionsOf (lib.attrValues disks));
  deviceOf = p: "/dev/disk/by-partlabel/${p.label}";

  mountOf = p: fsType: where: options: lib.optional (where != null) (lib.nameValuePair where { device = deviceOf p; inherit fsType options; });
  subvolumesOf = p: lib.concatMap (s: mountOf p "btrfs" s.mountpoint (s.mountOptions ++ [ "subvol=${s.name}" ])) (lib.attrValues p.content.subvolumes);
  mountsOf = p:
    if p.content.type == "filesystem" then mountOf p p.content.format p.content.mountpoint p.content.mountOptions
    else if p.content.type == "btrfs" then mountOf p "btrfs" p.content.mountpoint p.content.mountOptions ++ subvolumesOf p
    else [ ];
  mounts = lib.concatMap mountsOf all;
  mounted = map (m: m.name) mounts;
in
{
  options.disko.devices.disk = mkOption {
    type = types.attrsOf (types.submodule disk);
    default = { };
    example = lib.literalExpression ''
      {
        main = {
          device = "/dev/nvme0n1";
          content = {
            type = "gpt";
            partitions = {
              ESP = { size = "512M"; type = "EF00"; content = { type = "filesystem"; format = "vfat"; mountpoint = "/boot"; }; };
              nix = { size = "100%"; content = { type = "filesystem"; format = "ext4"; mountpoint = "/nix"; }; };
            };
          };
        };
      }
    '';
    description = "Disks and what is on them: for images, and for `fileSystems` and `swapDevices`. Without any, the layout is an EFI system partition and the store.";
  };

  # Where the filesystem of the store is mounted.
  config.system.build.storeMountPoint = if disks == { } || lib.elem "/nix" mounted then "/nix" else "/";

  config.fileSystems = lib.listToAttrs mounts;

  config.swapDevices = map (p: { device = deviceOf p; inherit (p.content) priority discardPolicy; }) (lib.filter (p: p.content.type == "swap") all);

  config.system.build.diskLayout = {
    version = 1;
    espMountPoint = config.boot.loader.efi.efiSysMountPoint;
    disks = lib.mapAttrsToList (name: d: {
      inherit name;
      inherit (d) imageSize;
      partitions = map (p: {
        inherit (p) name size start end type label;
        content = if p.content == null then null else {
          inherit (p.content) type format mountpoint extraArgs;
          subvolumes = map (s: { inherit (s) name mountpoint; }) (lib.attrValues p.content.subvolumes);
        };
      }) (partitionsOf d);
    }) disks;
  };

  config.assertions = lib.optionals (disks != { }) (map (p: {
    assertion = p.content.type != "filesystem" || p.content.format != null;
    message = "disko.devices.disk: the partition `${p.name}` holds a filesystem of no `format`";
  }) all ++ [
    {
      assertion = lib.length (lib.unique mounted) == lib.length mounted;
      message = "disko.devices.disk: two partitions have the mountpoint ${lib.concatStringsSep ", " (lib.filter (m: lib.count (n: n == m) mounted > 1) (lib.unique mounted))}";
    }
    {
      assertion = lib.any (where: lib.elem where [ "/nix" "/" ]) mounted;
      message = "disko.devices.disk: no partition has the mountpoint /nix or /, so there is no place for the store";
    }
    {
      assertion = lib.elem config.boot.loader.efi.efiSysMountPoint mounted;
      message = "disko.devices.disk: no partition has the mountpoint ${config.boot.loader.efi.efiSysMountPoint}, so there is no place for the boot loader (`boot.loader.efi.efiSysMountPoint`)";
    }
  ]);
}
