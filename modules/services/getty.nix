# `services.getty`: login on consoles.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.services.getty;

  # Whoever opened the machine once may be let in without a password, and at later terminals not.
  once = pkgs.writeShellScript "agetty-once" ''
    if mkdir /run/agetty.autologged 2>/dev/null; then
      exec /usr/sbin/agetty ${lib.escapeShellArgs (arguments ++ autologin)} "$@"
    fi
    exec /usr/sbin/agetty ${lib.escapeShellArgs arguments} "$@"
  '';
  autologin = lib.optionals (cfg.autologinUser != null) [ "--autologin" cfg.autologinUser ];
  arguments = [ "--login-program" cfg.loginProgram ]
    ++ lib.optionals (cfg.loginOptions != null) [ "--login-options" cfg.loginOptions ]
    ++ cfg.extraArgs;
  command = if cfg.autologinOnce then "${once}" else "/usr/sbin/agetty ${lib.escapeShellArgs (arguments ++ autologin)}";
  issue = "--issue-file=/etc/issue:/etc/issue.d:/run/issue.d:/usr/lib/issue.d";

  # As Debian's units have it, with our arguments.
  override = line: ''
    [Service]
    ExecStart=
    ExecStart=-${command} ${line}
  '';
  changed = cfg.autologinUser != null || cfg.extraArgs != [ ] || cfg.loginOptions != null || cfg.loginProgram != "/bin/login";
in
{
  options.services.getty = {
    autologinUser = mkOption { type = types.nullOr types.str; default = null; description = "Who is logged in without a password."; };
    autologinOnce = mkOption { type = types.bool; default = false; description = "Whether that happens only the first time after a boot."; };
    loginProgram = mkOption { type = types.path; default = "/bin/login"; description = "The program that asks for the password."; };
    loginOptions = mkOption { type = types.nullOr types.str; default = null; example = "-h darkstar -- \\u"; description = "Arguments of that program."; };
    extraArgs = mkOption { type = types.listOf types.str; default = [ ]; example = [ "--nohostname" ]; description = "More arguments of agetty."; };
    greetingLine = mkOption { type = types.str; default = "<<< Welcome to Esker ${config.system.nixos.label} (\\m) - \\l >>>"; description = "The line above the prompt."; };
    helpLine = mkOption { type = types.lines; default = ""; description = "Help shown below the greeting."; };
  };

  config.environment.etc = {
    issue.text = ''

      ${cfg.greetingLine}
      ${cfg.helpLine}
    '';
  } // lib.optionalAttrs changed {
    "systemd/system/getty@.service.d/overrides.conf".text = override "--noreset --noclear ${issue} - \${TERM}";
    "systemd/system/serial-getty@.service.d/overrides.conf".text = override "--noreset --noclear ${issue} --keep-baud 115200,57600,38400,9600 - \${TERM}";
  };
}
