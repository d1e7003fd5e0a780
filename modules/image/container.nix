# `boot.isContainer`: a system without a kernel of its own. Its root is a folder that stays, which the container's manager has
# mounted, with everything that a kernel has to offer; /usr is made when it starts (crates/activation/src/container.rs).
{ lib, config, ... }:

{
  options.boot.isContainer = lib.mkOption {
    type = lib.types.bool;
    default = false;
    description = "Whether this is the system of a container. Set by `esker image --format tar`.";
  };

  config = lib.mkIf config.boot.isContainer {
    # What the configuration says of a machine's disks is of another machine.
    disko.devices.disk = lib.mkImageMediaOverride { };
    fileSystems = lib.mkImageMediaOverride { "/" = { device = "none"; fsType = "none"; }; };
    swapDevices = lib.mkImageMediaOverride [ ];
    boot.growPartition = false;
  };
}
