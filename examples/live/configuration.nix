# A stick to rescue machines with: `esker image examples/live --format iso`. Whoever boots it is root, on
# the screen and on the serial console.
{ pkgs, ... }:

{
  networking.hostName = "live";
  services.getty.autologinUser = "root";
  services.getty.helpLine = "`esker` and the usual tools are here; the network comes up by itself where there is DHCP.";
  users.users.root.initialHashedPassword = "";

  boot.supportedFilesystems = [ "ext4" "vfat" "btrfs" "xfs" ];
  environment.systemPackages = with pkgs; [
    # Disks.
    cryptsetup-bin dosfstools fdisk gdisk gddrescue lvm2 mdadm nvme-cli parted smartmontools testdisk
    # The machine and its network.
    dmidecode efibootmgr iputils-ping lshw openssh-client pciutils rsync tcpdump usbutils wget
    # Looking and editing.
    bash-completion file htop less nano tmux vim xz-utils zstd
  ];
}
