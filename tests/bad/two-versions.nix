# A unit runs a version of a package by its store path, and the system wants another one.
{ pkgs, ... }:

let
  old = derivation {
    name = "tree-1.0-1";
    system = "builtin";
    builder = "builtin:unpack-deb";
    __structuredAttrs = true;
    deb = builtins.toFile "tree_1.0-1_amd64.deb" "";
    format = 1;
    pname = "tree";
    version = "1.0-1";
    architecture = "amd64";
  };
in
{
  imports = [ ./parts/bootable.nix ];
  environment.systemPackages = [ pkgs.tree ];
  systemd.services.list.serviceConfig.ExecStart = "${old}/bin/tree /";
}
