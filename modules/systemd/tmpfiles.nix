# `systemd.tmpfiles`: files and folders that exist while the system runs.
{ lib, config, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.systemd.tmpfiles;

  field = default: description: mkOption { type = types.str; inherit default description; };

  line = path: type: e: "${type} ${path} ${e.mode} ${e.user} ${e.group} ${e.age} ${e.argument}";
in
{
  options.systemd.tmpfiles = {
    rules = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "d /tmp 1777 root root 10d" ];
      description = "Lines of tmpfiles.d(5).";
    };
    settings = mkOption {
      default = { };
      description = "The same in parts: file → path → type → { mode, user, group, age, argument }.";
      type = types.attrsOf (types.attrsOf (types.attrsOf (types.submodule {
        options = {
          mode = field "-" "Mode.";
          user = field "-" "Owner.";
          group = field "-" "Group.";
          age = field "-" "Age at which it is cleaned up.";
          argument = field "" "Argument.";
        };
      })));
    };
  };

  config.environment.etc = {
    "tmpfiles.d/00-nixos.conf".text = lib.concatMapStrings (r: "${r}\n") cfg.rules;
  } // lib.mapAttrs' (
    file: paths:
    lib.nameValuePair "tmpfiles.d/${file}.conf" {
      text = lib.concatStrings (
        lib.concatLists (lib.mapAttrsToList (path: byType: lib.mapAttrsToList (t: e: line path t e + "\n") byType) paths)
      );
    }
  ) cfg.settings;
}
