# `security.polkit`: who may do what through services of the bus.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.security.polkit;
in
{
  options.security.polkit = {
    enable = mkOption { type = types.bool; default = false; description = "Whether polkit is installed."; };
    debug = mkOption { type = types.bool; default = false; description = "Whether polkit says what it decides."; };
    adminIdentities = mkOption { type = types.listOf types.str; default = [ "unix-group:sudo" "unix-group:wheel" ]; description = "Who counts as an administrator."; };
    extraConfig = mkOption {
      type = types.lines;
      default = "";
      example = "polkit.addRule(function(action, subject) { … });";
      description = "Rules in JavaScript.";
    };
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ pkgs.polkitd ];
    environment.etc."polkit-1/rules.d/10-nixos.rules".text = ''
      polkit.addAdminRule(function(action, subject) {
        return [${lib.concatMapStringsSep ", " builtins.toJSON cfg.adminIdentities}];
      });
      ${cfg.extraConfig}
    '';
    systemd.services.polkit = lib.mkIf cfg.debug {
      overrideStrategy = "asDropin";
      serviceConfig.ExecStart = [ "" "/usr/lib/polkit-1/polkitd" ];
    };
  };
}
