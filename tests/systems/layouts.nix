# A disk in disko's words: btrfs with subvolumes for the store, people's files and logs, before them
# filesystems that are of one piece: btrfs and XFS.
{ pkgs, ... }:

{
  networking.hostName = "layouts";
  # Where several machines are emulated at once the kernel must not take a late tick for a missing timer.
  boot.kernelParams = [ "console=ttyS0" "systemd.show_status=true" "no_timer_check" ];
  boot.loader.timeout = 1;
  services.esker-agent.enable = true;
  users.allowNoPasswordLogin = true;
  environment.systemPackages = [ pkgs.e2fsprogs ];

  disko.devices.disk.main = {
    device = "/dev/vda";
    content.type = "gpt";
    content.partitions = {
      ESP = { size = "256M"; type = "EF00"; content = { type = "filesystem"; format = "vfat"; mountpoint = "/boot"; mountOptions = [ "umask=0077" ]; }; };
      scratch = { size = "128M"; content = { type = "filesystem"; format = "btrfs"; mountpoint = "/scratch"; extraArgs = [ "-L" "scratch" ]; }; };
      data = { size = "320M"; content = { type = "filesystem"; format = "xfs"; mountpoint = "/data"; extraArgs = [ "-L" "data" ]; }; };
      main = {
        size = "100%";
        content = {
          type = "btrfs";
          extraArgs = [ "-f" "-L" "everything" ];
          subvolumes = {
            "/nix" = { mountpoint = "/nix"; mountOptions = [ "compress=zstd" "noatime" ]; };
            "/home" = { mountpoint = "/home"; };
            "/var/log" = { mountpoint = "/var/log"; mountOptions = [ "compress=zstd" ]; };
            "/snapshots" = { };
          };
        };
      };
    };
  };
  boot.growPartition = true;
}
