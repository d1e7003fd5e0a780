# `security.pam`: Debian's own common-* stacks come from the packages' pam-configs (crates/compose); here is what a
# person changes. A service without a file of its own is PAM's `other`, which asks for a password as Debian's do.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.security.pam;
  flag = description: mkOption { type = types.bool; default = false; inherit description; };

  limit = types.submodule {
    options = {
      domain = mkOption { type = types.str; description = "Whom it concerns: a user, `@group` or `*`."; };
      type = mkOption { type = types.enum [ "-" "hard" "soft" ]; default = "-"; description = "Hard, soft or both."; };
      item = mkOption {
        type = types.enum [
          "core" "data" "fsize" "memlock" "nofile" "rss" "stack" "cpu" "nproc" "as" "maxlogins" "maxsyslogins" "priority"
          "locks" "sigpending" "msgqueue" "nice" "rtprio" "nonewprivs"
        ];
        description = "The resource.";
      };
      value = mkOption { type = types.oneOf [ types.str types.int ]; description = "The limit."; };
    };
  };
  limitsText = lib.concatMapStrings (l: "${l.domain} ${l.type} ${l.item} ${toString l.value}\n");

  # The text of a service of which more is said than that it exists.
  textOf = s: lib.concatStringsSep "\n" (
    [ "# Made from security.pam.services.${s.name}." ]
    ++ lib.optional s.rootOK "auth sufficient pam_rootok.so"
    ++ lib.optional (s.requireWheel) "auth required pam_wheel.so group=wheel use_uid"
    ++ [ "@include common-auth" "@include common-account" "@include common-password" ]
    ++ lib.optional s.setLoginUid "session required pam_loginuid.so"
    ++ lib.optional s.setEnvironment "session required pam_env.so"
    ++ lib.optional s.makeHomeDir "session required pam_mkhomedir.so umask=0077"
    ++ [ (if s.startSession then "@include common-session" else "@include common-session-noninteractive") ]
    ++ lib.optional (s.limits != [ ]) "session required pam_limits.so conf=${pkgs.writeText "limits-${s.name}" (limitsText s.limits)}"
    ++ lib.optional s.showMotd "session optional pam_motd.so motd=/etc/motd"
  ) + "\n";
  said = s: s.rootOK || s.requireWheel || s.makeHomeDir || s.showMotd || s.startSession || s.limits != [ ];
in
{
  options.security.pam = {
    services = mkOption {
      default = { };
      description = "Services of PAM. One that is only named is PAM's `other` where Debian has none of that name.";
      type = types.attrsOf (types.submodule ({ name, config, ... }: {
        options = {
          enable = mkOption { type = types.bool; default = true; description = "Whether the service exists."; };
          name = mkOption { type = types.str; default = name; description = "The service's name."; };
          text = mkOption { type = types.nullOr types.lines; default = null; description = "The whole file in /etc/pam.d."; };
          rootOK = flag "Whether root needs no password.";
          requireWheel = flag "Whether only members of `wheel` are let in.";
          startSession = flag "Whether a session of logind begins.";
          makeHomeDir = flag "Whether a missing home folder is made.";
          showMotd = flag "Whether the message of the day is shown.";
          setLoginUid = mkOption { type = types.bool; default = config.startSession; defaultText = lib.literalExpression "startSession"; description = "Whether the audit id is set."; };
          setEnvironment = mkOption { type = types.bool; default = true; description = "Whether environment.sessionVariables are set."; };
          limits = mkOption { type = types.listOf limit; default = [ ]; description = "Limits of resources for this service alone."; };
        };
        config.text = lib.mkIf (said config) (lib.mkDefault (textOf config));
      }));
    };
    loginLimits = mkOption {
      type = types.listOf limit;
      default = [ ];
      example = [ { domain = "ftp"; type = "hard"; item = "nproc"; value = "0"; } ];
      description = "Limits of resources, as in limits.conf(5).";
    };
  };

  config.environment.etc = lib.mapAttrs' (
    _: s: lib.nameValuePair "pam.d/${s.name}" { inherit (s) text; }
  ) (lib.filterAttrs (_: s: s.enable && s.text != null) cfg.services)
  // lib.optionalAttrs (cfg.loginLimits != [ ]) { "security/limits.d/10-nixos.conf".text = limitsText cfg.loginLimits; };
}
