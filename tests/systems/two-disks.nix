# The store on one disk, data and swap on another.
let
  filesystem = format: mountpoint: { type = "filesystem"; inherit format mountpoint; };
in
{
  imports = [ ./small.nix ];

  disko.devices.disk = {
    fast = {
      device = "/dev/vda";
      content = {
        type = "gpt";
        partitions = {
          ESP = { size = "64M"; type = "EF00"; content = filesystem "vfat" "/boot"; };
          nix = { size = "100%"; content = filesystem "ext4" "/nix"; };
        };
      };
    };
    large = {
      device = "/dev/vdb";
      imageSize = "1G";
      content = {
        type = "gpt";
        partitions = {
          data = { size = "100%"; content = filesystem "ext4" "/data"; };
          swap = { size = "64M"; content.type = "swap"; };
        };
      };
    };
  };
}
