# `environment.persistence`: what of a tmpfs root survives a reboot. Stage 1 binds it from the state folder.
{ lib, config, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.environment.persistence;

  entry = kind: { name ? null, ... }: {
    options = {
      path = mkOption { type = types.str; description = "The path in the root."; };
      mode = mkOption { type = types.str; default = if kind == "directory" then "0755" else "0644"; description = "Its mode when it is made."; };
      user = mkOption { type = types.str; default = "root"; description = "Its owner when it is made."; };
      group = mkOption { type = types.str; default = "root"; description = "Its group when it is made."; };
    };
  };
  # A bare string is a path.
  listOfEntries = kind: types.listOf (
    types.coercedTo types.str (path: { inherit path; }) (types.submodule (entry kind))
  );
  record = kind: e: { inherit (e) path mode user group; inherit kind; };
in
{
  options.environment.persistence = {
    enable = mkOption {
      type = types.bool;
      default = config.fileSystems."/".fsType == "tmpfs";
      defaultText = lib.literalExpression ''config.fileSystems."/".fsType == "tmpfs"'';
      description = "Whether state is kept outside of the root.";
    };
    directory = mkOption {
      type = types.str;
      default = "/nix/persist";
      description = "Where state is kept.";
    };
    directories = mkOption {
      type = listOfEntries "directory";
      default = [ ];
      example = [ "/var/lib/postgresql" { path = "/secrets"; mode = "0700"; } ];
      description = "Folders that survive a reboot.";
    };
    files = mkOption {
      type = listOfEntries "file";
      default = [ ];
      description = "Files that survive a reboot.";
    };
    entries = mkOption {
      type = types.raw;
      internal = true;
      readOnly = true;
      description = "All of them, for activation.";
    };
  };

  config = {
    environment.persistence.directories = [
      "/var"
      "/srv"
      "/home"
      "/opt"
      { path = "/root"; mode = "0700"; }
    ];
    environment.persistence.entries = lib.optionals cfg.enable (
      map (record "directory") cfg.directories ++ map (record "file") cfg.files
    );
  };
}
