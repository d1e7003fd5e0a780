{
  fileSystems."/nix" = { device = "/dev/disk/by-label/nix"; fsType = "ext4"; };
  users.users.ada = { isNormalUser = true; extraGroups = [ "sudo" ]; };
}
