# `security.pam`: Debian's own common-* stacks come from the packages' pam-configs (crates/compose); here is what a
# person changes.
{ lib, config, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.security.pam;
in
{
  options.security.pam = {
    services = mkOption {
      default = { };
      description = "Services of PAM: a whole text where Debian's is not wanted.";
      type = types.attrsOf (types.submodule ({ name, ... }: {
        options = {
          name = mkOption { type = types.str; default = name; description = "The service's name."; };
          text = mkOption { type = types.nullOr types.lines; default = null; description = "The file in /etc/pam.d."; };
        };
      }));
    };
    loginLimits = mkOption {
      default = [ ];
      example = [ { domain = "ftp"; type = "hard"; item = "nproc"; value = "0"; } ];
      description = "Limits of resources, as in limits.conf(5).";
      type = types.listOf (types.submodule {
        options = {
          domain = mkOption { type = types.str; description = "Whom it concerns: a user, `@group` or `*`."; };
          type = mkOption { type = types.enum [ "-" "hard" "soft" ]; default = "-"; description = "Hard, soft or both."; };
          item = mkOption { type = types.str; description = "The resource."; };
          value = mkOption { type = types.oneOf [ types.str types.int ]; description = "The limit."; };
        };
      });
    };
  };

  config.environment.etc = lib.mapAttrs' (
    _: s: lib.nameValuePair "pam.d/${s.name}" { inherit (s) text; }
  ) (lib.filterAttrs (_: s: s.text != null) cfg.services)
  // lib.optionalAttrs (cfg.loginLimits != [ ]) {
    "security/limits.d/10-nixos.conf".text = lib.concatMapStrings (
      l: "${l.domain} ${l.type} ${l.item} ${toString l.value}\n"
    ) cfg.loginLimits;
  };
}
