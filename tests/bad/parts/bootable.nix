# A system that is right, so that what imports it is wrong in one way only.
{
  fileSystems."/nix" = { device = "/dev/disk/by-label/nix"; fsType = "ext4"; };
  users.users.root.hashedPassword = "$6$salt$hash";
}
