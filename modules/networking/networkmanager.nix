# NetworkManager, for machines whose networks change.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types mkIf;
  cfg = config.networking.networkmanager;
  ini = pkgs.formats.ini { };
in
{
  options.networking.networkmanager = {
    enable = mkOption { type = types.bool; default = false; description = "Whether NetworkManager configures the interfaces."; };
    settings = mkOption { type = ini.type; default = { }; description = "Settings, as in NetworkManager.conf(5)."; };
  };

  config = mkIf cfg.enable {
    environment.systemPackages = [ pkgs.network-manager pkgs.polkitd ];
    systemd.packages = [ pkgs.network-manager ];
    networking.networkmanager.settings.main = {
      plugins = lib.mkDefault "keyfile";
      dns = mkIf config.services.resolved.enable (lib.mkDefault "systemd-resolved");
    };
    environment.etc."NetworkManager/NetworkManager.conf".source = ini.generate "NetworkManager.conf" cfg.settings;
    users.groups.netdev = { };
  };
}
