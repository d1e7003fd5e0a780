# `environment.persistence`: what of a tmpfs root survives a reboot. Stage 1 binds it from the state folder.
{ lib, config, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.environment.persistence;

  entry = kind: owner: {
    options = {
      path = mkOption { type = types.str; description = "The path in the root."; };
      mode = mkOption {
        type = types.nullOr (types.strMatching "[0-7]{3,4}");
        default = if kind == "directory" then "0755" else null;
        description = if kind == "directory" then "Its mode when it is made." else "Its mode; the file is then made, empty, when it is missing. `null` leaves making it to whoever writes it first.";
      };
      user = mkOption { type = types.str; default = owner.user; description = "Its owner when it is made."; };
      group = mkOption { type = types.str; default = owner.group; description = "Its group when it is made."; };
    };
  };
  # A bare string is a path.
  listOfEntries = kind: owner: types.listOf (
    types.coercedTo types.str (path: { inherit path; }) (types.submodule (entry kind owner))
  );
  root = { user = "root"; group = "root"; };
  record = kind: e: lib.filterAttrs (_: v: v != null) { inherit (e) path mode user group; inherit kind; };
  # Paths of a user are relative to the home folder.
  recordOf = home: kind: e: record kind e // { path = "${home}/${e.path}"; inherit home; };
  ofUser = _: u: map (recordOf u.home "directory") u.directories ++ map (recordOf u.home "file") u.files;
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
      type = listOfEntries "directory" root;
      default = [ ];
      example = [ "/var/lib/postgresql" { path = "/secrets"; mode = "0700"; } ];
      description = "Folders that survive a reboot.";
    };
    files = mkOption {
      type = listOfEntries "file" root;
      default = [ ];
      description = "Files that survive a reboot.";
    };
    users = mkOption {
      default = { };
      example = { alice.directories = [ "Documents" { path = ".ssh"; mode = "0700"; } ]; };
      description = "What of single users survives a reboot, where /home as a whole does not.";
      type = types.attrsOf (types.submodule ({ name, ... }: let
        account = config.users.users.${name} or (throw "environment.persistence.users.${name}: there is no such user");
        owner = { user = account.name; inherit (account) group; };
      in {
        options = {
          home = mkOption { type = types.path; default = account.home; defaultText = "the user's home folder"; description = "Where the paths begin."; };
          directories = mkOption { type = listOfEntries "directory" owner; default = [ ]; description = "Folders, relative to the home folder."; };
          files = mkOption { type = listOfEntries "file" owner; default = [ ]; description = "Files, relative to the home folder."; };
        };
      }));
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
      # The machine's own configuration and its lock.
      "/etc/esker"
      { path = "/root"; mode = "0700"; }
    ];
    # What is mounted at such a path is the state itself.
    environment.persistence.entries = lib.filter (e: !(config.fileSystems ? ${e.path})) (lib.optionals cfg.enable (
      map (record "directory") cfg.directories ++ map (record "file") cfg.files
      ++ lib.concatLists (lib.mapAttrsToList ofUser cfg.users)
    ));
  };
}
