# `boot.growPartition`: an image on a larger disk, or a disk that was enlarged. The partition of the store takes what is free
# behind it and its filesystem follows, before the second stage starts systemd (crates/activation/src/growth.rs).
{ lib, config, ... }:

let
  where = config.system.build.storeMountPoint;
in
{
  options.boot.growPartition = lib.mkOption {
    type = lib.types.bool;
    default = config.disko.devices.disk == { };
    defaultText = "whether the disk's layout is Esker's own";
    description = "Whether the store's partition grows at boot to the end of its disk, if it is the last one there, and its filesystem with it.";
  };

  # ext4, as which the store of Esker's own layout is, is grown with the partition; others have a unit for it.
  config.fileSystems = lib.mkIf (config.boot.growPartition && config.disko.devices.disk != { }) {
    ${where}.autoResize = lib.mkDefault (config.fileSystems.${where}.fsType != "ext4");
  };
}
