# The system's own name and version: `system.stateVersion`, /etc/os-release.
{ lib, config, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.system;
in
{
  options.system = {
    stateVersion = mkOption {
      type = types.str;
      default = cfg.nixos.release;
      description = ''
        The release that this machine was first installed with. Defaults that concern state on disk follow it, so it
        should not be changed when Esker is upgraded.
      '';
    };
    name = mkOption {
      type = types.str;
      default = if config.networking.hostName == "" then "unnamed" else config.networking.hostName;
      defaultText = lib.literalExpression "config.networking.hostName";
      description = "The name of the system, part of its store path's name.";
    };
    nixos = {
      release = mkOption {
        type = types.str;
        readOnly = true;
        default = "0.1";
        description = "Esker's release.";
      };
      version = mkOption {
        type = types.str;
        internal = true;
        default = "esker-${cfg.nixos.release}-debian-13";
        description = "The full version.";
      };
      label = mkOption {
        type = types.strMatching "[a-zA-Z0-9:_.-]*";
        default = "debian-13";
        description = "A label for the generation in the boot menu.";
      };
      tags = mkOption {
        type = types.listOf types.str;
        default = [ ];
        description = "Strings put before the label.";
      };
    };
  };

  config.environment.etc."os-release".text = ''
    NAME="Esker"
    ID=esker
    ID_LIKE=debian
    PRETTY_NAME="Esker ${cfg.nixos.release} (Debian 13)"
    VERSION="${cfg.nixos.release}"
    VERSION_ID="${cfg.nixos.release}"
    DEBIAN_VERSION_ID="13"
  '';
}
