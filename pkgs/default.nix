# The package set: every package of the pinned Debian snapshot by its own name, the aliases people know from
# nixpkgs, and the builders that compose packages into something else.
#
# Debian's packages come from `builtins.__debianPackages system`, an attribute set of lazy records read from the
# index that esker.lock pins: { version, architecture, filename, sha256, size, description, section, depends }.
{ lib, system }:

let
  index = builtins.__debianPackages system;

  self = debian // builders // aliases // {
    inherit lib system;
    stdenv = {
      hostPlatform = lib.systems.elaborate system;
      inherit system;
    };
  };

  deb = import ./deb.nix { inherit lib; };
  debian = builtins.mapAttrs (name: record: deb.package (record // { inherit name; })) index;
  builders = import ./builders.nix { inherit lib system deb; pkgs = self; };
  aliases = import ./aliases.nix { inherit lib debian; };
in
self
