# The package set's own options: for which system it is.
{ lib, config, ... }:

let
  inherit (lib) mkOption types;
in
{
  options.nixpkgs = {
    hostPlatform = mkOption {
      type = types.enum [ "x86_64-linux" "aarch64-linux" ];
      example = "aarch64-linux";
      description = "The system that the configuration is for.";
    };
    system = mkOption {
      type = types.str;
      default = config.nixpkgs.hostPlatform;
      internal = true;
      description = "The same, by its older name.";
    };
    config = mkOption {
      type = types.attrs;
      default = { };
      description = "Accepted for configurations that come from NixOS; Debian's archive needs no such settings.";
    };
  };
}
