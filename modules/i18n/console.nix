# `console.*`: the virtual console's keys, font and colours. Debian's systemd has no systemd-vconsole-setup, so a unit of
# that name does its work with Debian's kbd.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.console;
  # A `us` keyboard with the kernel's font needs no program.
  changed = cfg.keyMap != "us" || cfg.font != null;
  kbd = [ pkgs.kbd pkgs.console-data ] ++ lib.optional (cfg.font != null) pkgs.console-setup-linux ++ cfg.packages;
in
{
  options.console = {
    enable = mkOption { type = types.bool; default = true; description = "Whether the virtual console is set up."; };
    keyMap = mkOption { type = types.either types.str types.path; default = "us"; example = "fr"; description = "The keyboard's map: a name in /usr/share/keymaps, or a file."; };
    font = mkOption { type = types.nullOr (types.either types.str types.path); default = null; example = "Lat2-Terminus16"; description = "The console's font: a name in /usr/share/consolefonts, or a file."; };
    packages = mkOption { type = types.listOf types.package; default = [ ]; description = "Further packages with maps and fonts."; };
    earlySetup = mkOption { type = types.bool; default = false; description = "Accepted for configurations that come from NixOS; stage 1 asks nobody anything."; };
    colors = mkOption {
      type = types.listOf (types.strMatching "[[:xdigit:]]{6}");
      default = [ ];
      example = [ "002b36" "dc322f" "859900" "b58900" "268bd2" "d33682" "2aa198" "eee8d5" "002b36" "cb4b16" "586e75" "657b83" "839496" "6c71c4" "93a1a1" "fdf6e3" ];
      description = "The sixteen colours of the console, as RRGGBB.";
    };
  };

  config = lib.mkIf cfg.enable {
    # Debian's systemd makes this link at every boot, whatever stands there.
    environment.etc."vconsole.conf".link = "default/keyboard";
    environment.etc."default/keyboard".text = "KEYMAP=${toString cfg.keyMap}\n"
      + lib.optionalString (cfg.font != null) "FONT=${toString cfg.font}\n";
    environment.systemPackages = lib.optionals changed kbd;

    systemd.services.systemd-vconsole-setup = lib.mkIf changed {
      description = "Virtual console's keyboard and font";
      wantedBy = [ "sysinit.target" ];
      before = [ "sysinit.target" "shutdown.target" ];
      conflicts = [ "shutdown.target" ];
      unitConfig = {
        DefaultDependencies = false;
        # A machine without a screen has no virtual console.
        ConditionPathExists = "/dev/tty1";
      };
      restartTriggers = [ cfg.keyMap cfg.font ];
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = [ "/usr/bin/loadkeys --quiet --unicode --console=/dev/tty1 ${lib.escapeSystemdExecArg (toString cfg.keyMap)}" ]
          ++ lib.optional (cfg.font != null) "/usr/bin/setfont --console=/dev/tty1 ${lib.escapeSystemdExecArg (toString cfg.font)}";
      };
    };

    boot.kernelParams = lib.optionals (cfg.colors != [ ]) (
      lib.imap0 (channel: name: "vt.default_${name}=" + lib.concatMapStringsSep "," (
        colour: toString (lib.fromHexString (lib.substring (channel * 2) 2 colour))
      ) cfg.colors) [ "red" "grn" "blu" ]
    );
    assertions = [ {
      assertion = lib.elem (lib.length cfg.colors) [ 0 16 ];
      message = "console.colors needs sixteen colours, not ${toString (lib.length cfg.colors)}";
    } ];
  };
}
