# A stick to rescue machines with: `esker image examples/live --format iso`. Whoever boots it is root, on
# the screen and on the serial console.
{ pkgs, ... }:

{
  networking.hostName = "live";
  services.getty.autologinUser = "root";
  services.getty.helpLine = "`esker` and the usual tools are here; the network comes up by itself where there is DHCP.";
  users.users.root.initialHashedPassword = "";
  # There is nobody else.
  security.sudo.enable = false;

  # Not xfs: its programs bring ICU with them, 25 MB of the image.
  boot.supportedFilesystems = [ "ext4" "vfat" "btrfs" ];
  environment.systemPackages = with pkgs; [
    # Disks.
    cryptsetup-bin dosfstools fdisk gdisk gddrescue lvm2 mdadm nvme-cli parted smartmontools testdisk
    # The machine and its network.
    dmidecode efibootmgr iputils-ping openssh-client pciutils rsync tcpdump usbutils wget
    # Looking and editing.
    file htop less nano tmux vim-tiny xz-utils zstd
  ];
}
