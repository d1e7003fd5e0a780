# `security.sudo`.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types mkIf;
  cfg = config.security.sudo;

  command = types.either types.str (types.submodule {
    options = {
      command = mkOption { type = types.str; description = "The command, or ALL."; };
      options = mkOption { type = types.listOf types.str; default = [ ]; example = [ "NOPASSWD" ]; description = "Tags of the command."; };
    };
  });
  rule = types.submodule {
    options = {
      users = mkOption { type = types.listOf (types.either types.str types.int); default = [ ]; description = "Users."; };
      groups = mkOption { type = types.listOf (types.either types.str types.int); default = [ ]; description = "Groups."; };
      host = mkOption { type = types.str; default = "ALL"; description = "The host on which it holds."; };
      runAs = mkOption { type = types.str; default = "ALL:ALL"; description = "As whom."; };
      commands = mkOption { type = types.listOf command; default = [ ]; description = "The commands."; };
    };
  };

  showCommand = c: if lib.isString c then c else lib.concatMapStrings (o: "${o}: ") c.options + c.command;
  whose = r:
    map (u: if lib.isInt u then "#${toString u}" else u) r.users
    ++ map (g: if lib.isInt g then "%#${toString g}" else "%${g}") r.groups;
  ruleLine = r: lib.optionalString (r.commands != [ ] && whose r != [ ])
    "${lib.concatStringsSep "," (whose r)} ${r.host}=(${r.runAs}) ${lib.concatMapStringsSep ", " showCommand r.commands}\n";
in
{
  options.security.sudo = {
    enable = mkOption { type = types.bool; default = true; description = "Whether members of the groups sudo and wheel may become root by sudo."; };
    defaultOptions = mkOption { type = types.listOf types.str; default = [ "SETENV" ]; description = "Tags of what members of sudo and wheel run."; };
    keepTerminfo = mkOption { type = types.bool; default = true; description = "Whether the terminal's description is kept in root's environment."; };
    wheelNeedsPassword = mkOption { type = types.bool; default = true; description = "Whether they give their password."; };
    execWheelOnly = mkOption { type = types.bool; default = false; description = "Whether nobody else may run sudo at all."; };
    extraRules = mkOption { type = types.listOf rule; default = [ ]; description = "More rules."; };
    extraConfig = mkOption { type = types.lines; default = ""; description = "More lines of sudoers."; };
    configFile = mkOption { type = types.lines; internal = true; description = "The whole file."; };
  };

  config = mkIf cfg.enable {
    environment.systemPackages = [ pkgs.sudo ];
    users.groups.sudo = { };

    security.sudo.extraRules = lib.mkBefore [
      { users = [ "root" ]; commands = [ { command = "ALL"; options = cfg.defaultOptions; } ]; }
      {
        groups = [ "sudo" "wheel" ];
        commands = [ { command = "ALL"; options = cfg.defaultOptions ++ lib.optional (!cfg.wheelNeedsPassword) "NOPASSWD"; } ];
      }
    ];
    security.sudo.configFile = ''
      # Made from security.sudo.
      Defaults env_reset
      Defaults mail_badpass
      Defaults use_pty
      Defaults secure_path="/usr/local/sbin:/usr/local/bin:/run/wrappers/bin:/usr/sbin:/usr/bin:/sbin:/bin"
      ${lib.optionalString cfg.keepTerminfo "Defaults env_keep += \"TERMINFO_DIRS TERMINFO COLORTERM\""}
      ${lib.concatMapStrings ruleLine cfg.extraRules}
      ${cfg.extraConfig}
    '';
    environment.etc.sudoers = {
      text = cfg.configFile;
      mode = "0440";
    };
    security.permissions = mkIf cfg.execWheelOnly {
      "usr/bin/sudo" = { owner = "root"; group = "sudo"; mode = "4750"; };
    };
  };
}
