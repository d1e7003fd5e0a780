# `programs.bash`: the shell of people.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types mkIf;
  cfg = config.programs.bash;
  aliases = lib.filterAttrs (_: v: v != null) (config.environment.shellAliases // cfg.shellAliases);
in
{
  options.programs.bash = {
    enable = mkOption { type = types.bool; default = true; description = "Whether bash is set up for the whole system."; };
    shellAliases = mkOption { type = types.attrsOf (types.nullOr (types.either types.str types.path)); default = { }; description = "Aliases of bash."; };
    shellInit = mkOption { type = types.lines; default = ""; description = "Code run by every bash."; };
    loginShellInit = mkOption { type = types.lines; default = ""; description = "Code run by login shells."; };
    interactiveShellInit = mkOption { type = types.lines; default = ""; description = "Code run by interactive shells."; };
    promptInit = mkOption { type = types.lines; default = ""; description = "Code that sets the prompt."; };
    enableLsColors = mkOption { type = types.bool; default = true; description = "Whether `ls` colours what it lists."; };
    completion.enable = mkOption { type = types.bool; default = false; description = "Whether bash-completion is installed."; };
  };

  config = mkIf cfg.enable {
    environment.systemPackages = lib.optional cfg.completion.enable pkgs.bash-completion;
    environment.etc."bash.bashrc.d/esker.sh".text = ''
      ${config.environment.interactiveShellInit}
      ${cfg.interactiveShellInit}
      ${cfg.promptInit}
    '';
    environment.etc."bash.bashrc".text = ''
      # For interactive shells. Made from programs.bash and environment.shellAliases.
      [ -z "''${PS1-}" ] && return
      shopt -s checkwinsize
      PS1='\u@\h:\w\$ '
      ${lib.optionalString cfg.enableLsColors "eval \"$(dircolors -b)\"; alias -- ls='ls --color=tty'"}
      ${lib.concatStrings (lib.mapAttrsToList (n: v: "alias -- ${n}=${lib.escapeShellArg (toString v)}\n") aliases)}
      ${cfg.shellInit}
      [ -r /etc/bash.bashrc.d/esker.sh ] && . /etc/bash.bashrc.d/esker.sh
      ${lib.optionalString cfg.completion.enable "[ -r /usr/share/bash-completion/bash_completion ] && . /usr/share/bash-completion/bash_completion"}
    '';
    environment.loginShellInit = cfg.shellInit + cfg.loginShellInit;
  };
}
