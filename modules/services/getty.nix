# `services.getty`: login on consoles.
{ lib, config, ... }:

let
  inherit (lib) mkOption types mkIf;
  cfg = config.services.getty;
  arguments = lib.concatStringsSep " " (
    lib.optionals (cfg.autologinUser != null) [ "--autologin" cfg.autologinUser ] ++ cfg.extraArgs
  );
  override = ''
    [Service]
    ExecStart=
    ExecStart=-/sbin/agetty ${arguments} --noreset --noclear --issue-file=/etc/issue:/etc/issue.d:/run/issue.d:/usr/lib/issue.d - ''${TERM}
  '';
in
{
  options.services.getty = {
    autologinUser = mkOption { type = types.nullOr types.str; default = null; description = "Who is logged in without a password."; };
    extraArgs = mkOption { type = types.listOf types.str; default = [ ]; description = "More arguments of agetty."; };
    greetingLine = mkOption { type = types.str; default = "<<< Welcome to Esker ${config.system.nixos.label} (\\m) - \\l >>>"; description = "The line above the prompt."; };
    helpLine = mkOption { type = types.lines; default = ""; description = "Help shown below the greeting."; };
  };

  config.environment.etc = {
    issue.text = ''

      ${cfg.greetingLine}
      ${cfg.helpLine}
    '';
  } // lib.optionalAttrs (arguments != "") {
    "systemd/system/getty@.service.d/overrides.conf".text = override;
    "systemd/system/serial-getty@.service.d/overrides.conf".text = override;
  };
}
