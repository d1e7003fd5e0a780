# `console.*`: the virtual console's keys and font.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.console;
in
{
  options.console = {
    enable = mkOption { type = types.bool; default = true; description = "Whether the virtual console is set up."; };
    keyMap = mkOption { type = types.str; default = "us"; example = "fr"; description = "The keyboard's map."; };
    font = mkOption { type = types.nullOr types.str; default = null; example = "Lat2-Terminus16"; description = "The console's font."; };
  };

  config = lib.mkIf cfg.enable {
    environment.etc."vconsole.conf".text = "KEYMAP=${cfg.keyMap}\n" + lib.optionalString (cfg.font != null) "FONT=${cfg.font}\n";
    # The maps and the program that loads them; a `us` keyboard needs neither.
    environment.systemPackages = lib.optionals (cfg.keyMap != "us" || cfg.font != null) [ pkgs.kbd pkgs.console-data ];
  };
}
