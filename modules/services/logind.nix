# `services.logind`: what the machine's buttons and lid do, and what becomes of people's processes.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.services.logind;
  text = import ../systemd/unit-text.nix { inherit lib pkgs; };
  unit = import ../systemd/unit-options.nix { inherit lib pkgs; };
  action = default: description: mkOption {
    type = types.enum [
      "ignore" "poweroff" "reboot" "halt" "kexec" "suspend" "hibernate" "hybrid-sleep" "suspend-then-hibernate" "sleep" "lock"
    ];
    inherit default description;
  };
in
{
  options.services.logind = {
    lidSwitch = action "suspend" "What happens when the lid is closed.";
    lidSwitchExternalPower = action cfg.lidSwitch "The same on mains power." // { defaultText = lib.literalExpression "services.logind.lidSwitch"; };
    lidSwitchDocked = action "ignore" "The same with a dock or a second screen.";
    powerKey = action "poweroff" "What the power button does.";
    powerKeyLongPress = action "ignore" "What it does when it is held.";
    rebootKey = action "reboot" "What the reboot key does.";
    suspendKey = action "suspend" "What the suspend key does.";
    hibernateKey = action "hibernate" "What the hibernate key does.";
    killUserProcesses = mkOption { type = types.bool; default = false; description = "Whether people's processes end with their session."; };
    settings.Login = mkOption { type = unit.section; default = { }; example = { RuntimeDirectorySize = "20%"; }; description = "Settings, as in logind.conf(5)."; };
    extraConfig = mkOption { type = types.lines; default = ""; example = "IdleAction=lock"; description = "More lines of logind.conf."; };
  };

  config = {
    services.logind.settings.Login = lib.mapAttrs (_: lib.mkDefault) {
      KillUserProcesses = cfg.killUserProcesses;
      HandlePowerKey = cfg.powerKey;
      HandlePowerKeyLongPress = cfg.powerKeyLongPress;
      HandleRebootKey = cfg.rebootKey;
      HandleSuspendKey = cfg.suspendKey;
      HandleHibernateKey = cfg.hibernateKey;
      HandleLidSwitch = cfg.lidSwitch;
      HandleLidSwitchExternalPower = cfg.lidSwitchExternalPower;
      HandleLidSwitchDocked = cfg.lidSwitchDocked;
    };
    environment.etc."systemd/logind.conf.d/10-esker.conf".text = text.section "Login" cfg.settings.Login + cfg.extraConfig;
  };
}
