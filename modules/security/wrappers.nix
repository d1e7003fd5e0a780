# `security.wrappers`: programs with rights beyond their caller's, in /run/wrappers/bin; and the modes of Debian's own
# setuid programs at their Debian paths.
{ lib, config, ... }:

let
  inherit (lib) mkOption types;

  wrapper = { name, ... }: {
    options = {
      enable = mkOption { type = types.bool; default = true; description = "Whether the wrapper exists."; };
      source = mkOption { type = types.path; description = "The program."; };
      program = mkOption { type = types.str; default = name; description = "The wrapper's name."; };
      owner = mkOption { type = types.str; description = "Its owner."; };
      group = mkOption { type = types.str; description = "Its group."; };
      permissions = mkOption { type = types.str; default = "u+rx,g+x,o+x"; description = "Its mode, as for chmod."; };
      capabilities = mkOption { type = types.commas; default = ""; example = "cap_net_raw+ep"; description = "Its file capabilities."; };
      setuid = mkOption { type = types.bool; default = false; description = "Whether it runs as its owner."; };
      setgid = mkOption { type = types.bool; default = false; description = "Whether it runs as its group."; };
    };
  };
  enabled = lib.filter (w: w.enable) (lib.attrValues config.security.wrappers);
in
{
  config.assertions = map (w: {
    assertion = !(w.capabilities != "" && (w.setuid || w.setgid));
    message = "security.wrappers.${w.program}: capabilities and setuid or setgid exclude each other";
  }) enabled;

  options.security = {
    wrappers = mkOption {
      type = types.attrsOf (types.submodule wrapper);
      default = { };
      description = "Programs with an owner's or a group's rights, or with capabilities.";
    };
    permissions = mkOption {
      default = { };
      description = "Owners and modes of single files of /usr, where they differ from Debian's.";
      example = { "usr/bin/sudo" = { owner = "root"; group = "sudo"; mode = "4750"; }; };
      type = types.attrsOf (types.submodule {
        options = {
          owner = mkOption { type = types.str; default = "root"; description = "The owner."; };
          group = mkOption { type = types.str; default = "root"; description = "The group."; };
          mode = mkOption { type = types.str; description = "The mode, octal."; };
          capabilities = mkOption { type = types.nullOr types.str; default = null; description = "The file capabilities."; };
        };
      });
    };
  };
}
