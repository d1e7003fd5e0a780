# `environment.etc`: files under /etc, and the tree that activation puts there.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption mkIf mkDefault types;

  entryModule =
    { name, config, options, ... }:
    {
      options = {
        enable = mkOption {
          type = types.bool;
          default = true;
          description = "Whether the file is made.";
        };
        target = mkOption {
          type = types.str;
          default = name;
          description = "Its path, relative to /etc.";
        };
        text = mkOption {
          type = types.nullOr types.lines;
          default = null;
          description = "Its content.";
        };
        source = mkOption {
          type = types.nullOr types.path;
          default = null;
          description = "The file or folder that it links to.";
        };
        link = mkOption {
          type = types.nullOr types.str;
          default = null;
          description = "The literal target of a symbolic link, such as `../run/systemd/resolve/stub-resolv.conf`.";
        };
        mode = mkOption {
          type = types.str;
          default = "symlink";
          example = "0600";
          description = "`symlink`, or the mode of a copy.";
        };
        uid = mkOption {
          type = types.int;
          default = 0;
          description = "Owner of a copy.";
        };
        gid = mkOption {
          type = types.int;
          default = 0;
          description = "Group of a copy.";
        };
        user = mkOption {
          type = types.str;
          default = "+${toString config.uid}";
          description = "Owner of a copy, by name, or `+` and a number.";
        };
        group = mkOption {
          type = types.str;
          default = "+${toString config.gid}";
          description = "Group of a copy, by name, or `+` and a number.";
        };
        dropinIfPackaged = mkOption {
          type = types.bool;
          default = false;
          internal = true;
          description = "Whether a unit is a drop-in where a package has the unit.";
        };
      };
    };

  entries = lib.filterAttrs (_: e: e.enable) config.environment.etc;

  # What `builtin:etc` reads for one entry; only what is set.
  spec = e:
    lib.filterAttrs (_: v: v != null) {
      text = if e.source == null && e.link == null then e.text else null;
      source = if e.source == null then null else "${e.source}";
      link = e.link;
    }
    // lib.optionalAttrs (e.mode != "symlink") { inherit (e) mode user group; }
    // lib.optionalAttrs e.dropinIfPackaged { dropinIfPackaged = true; };

  specs = lib.mapAttrs' (_: e: lib.nameValuePair e.target (spec e)) entries;
in
{
  options = {
    environment.etc = mkOption {
      type = types.attrsOf (types.submodule entryModule);
      default = { };
      example = lib.literalExpression ''{ "motd".text = "hello"; }'';
      description = "Files of /etc. They take the place of a package's file of the same path.";
    };
    system.build = mkOption {
      type = types.lazyAttrsOf types.unspecified;
      internal = true;
      default = { };
      description = "Derivations that make up the system.";
    };
  };

  config = {
    # Everything that may mention a package; its string context finds the system's roots (system/packages.nix).
    system.build.generatedFiles = builtins.toJSON specs;

    system.build.etc = derivation {
      name = "etc";
      system = "builtin";
      builder = "builtin:etc";
      __structuredAttrs = true;
      view = config.system.build.view;
      inherit (config.system.build.layout) overlays ids alternatives permissions decisions;
      entries = specs;
      accounts = config.users.build.accounts;
      units = config.systemd.build.units;
    };

    assertions = lib.mapAttrsToList (name: e: {
      assertion = lib.count (v: v != null) [ e.text e.source e.link ] == 1
        || (e.source != null && e.text != null && e.link == null);
      message = "environment.etc.\"${name}\" needs exactly one of `text`, `source` and `link`";
    }) entries;
  };
}
