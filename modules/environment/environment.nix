# `environment.variables`, `sessionVariables`, `shellAliases`: what every shell starts with.
{ lib, config, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.environment;

  variables = description: mkOption {
    type = types.attrsOf (types.nullOr (types.oneOf [ (types.listOf (types.oneOf [ types.int types.str types.path ])) types.int types.str types.path ]));
    default = { };
    apply = lib.mapAttrs (_: v: if v == null then null else if lib.isList v then lib.concatMapStringsSep ":" toString v else toString v);
    inherit description;
  };
  set = lib.filterAttrs (_: v: v != null);
in
{
  options.environment = {
    variables = variables "Variables of login and interactive shells. A list is joined by colons.";
    sessionVariables = variables "Variables of all sessions, set by PAM.";
    shellAliases = mkOption {
      type = types.attrsOf (types.nullOr (types.either types.str types.path));
      default = { };
      example = { ll = "ls -l"; };
      description = "Aliases of all shells.";
    };
    shellInit = mkOption { type = types.lines; default = ""; description = "Shell code run by every shell."; };
    loginShellInit = mkOption { type = types.lines; default = ""; description = "Shell code run by login shells."; };
    interactiveShellInit = mkOption { type = types.lines; default = ""; description = "Shell code run by interactive shells."; };
    homeBinInPath = mkOption { type = types.bool; default = false; description = "Whether ~/bin is searched for programs."; };
    localBinInPath = mkOption { type = types.bool; default = false; description = "Whether ~/.local/bin is searched for programs."; };
    extraInit = mkOption { type = types.lines; default = ""; description = "Shell code run after the environment is set."; };
  };

  config = {
    environment.variables = cfg.sessionVariables;
    environment.etc."environment".text = lib.concatStrings (lib.mapAttrsToList (n: v: "${n}=${builtins.toJSON v}\n") (set cfg.sessionVariables));
    environment.etc."profile.d/esker.sh".text = ''
      # Set by environment.variables and environment.shellInit.
      ${lib.concatStrings (lib.mapAttrsToList (n: v: "export ${n}=${lib.escapeShellArg v}\n") (set cfg.variables))}
      ${lib.optionalString cfg.homeBinInPath ''export PATH="$HOME/bin:$PATH"''}
      ${lib.optionalString cfg.localBinInPath ''export PATH="$HOME/.local/bin:$PATH"''}
      ${cfg.shellInit}
      ${cfg.loginShellInit}
      ${cfg.extraInit}
    '';
  };
}
