# NetworkManager, for machines whose networks change. Names are resolved by systemd-resolved unless that is off.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types mkIf;
  cfg = config.networking.networkmanager;
  ini = pkgs.formats.ini { };

  macAddress = mkOption {
    type = types.either (types.strMatching "([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}") (types.enum [ "permanent" "preserve" "random" "stable" "stable-ssid" ]);
    default = "preserve";
    description = "The MAC address that connections use.";
  };
  profileFile = name: settings: lib.nameValuePair "NetworkManager/system-connections/${name}.nmconnection" {
    source = ini.generate "${name}.nmconnection" settings;
    # It refuses files that others may read.
    mode = "0600";
  };
in
{
  options.networking.networkmanager = {
    enable = mkOption { type = types.bool; default = false; description = "Whether NetworkManager configures the interfaces."; };
    settings = mkOption { type = ini.type; default = { }; description = "Settings, as in NetworkManager.conf(5)."; };
    dns = mkOption {
      type = types.enum [ "default" "dnsmasq" "systemd-resolved" "none" ];
      default = if config.services.resolved.enable then "systemd-resolved" else "default";
      defaultText = lib.literalExpression ''if config.services.resolved.enable then "systemd-resolved" else "default"'';
      description = "Who is told of name servers.";
    };
    dhcp = mkOption { type = types.enum [ "dhcpcd" "internal" ]; default = "internal"; description = "Which DHCP client is used."; };
    logLevel = mkOption { type = types.enum [ "OFF" "ERR" "WARN" "INFO" "DEBUG" "TRACE" ]; default = "WARN"; description = "What is logged."; };
    unmanaged = mkOption { type = types.listOf types.str; default = [ ]; example = [ "interface-name:veth*" ]; description = "Devices that NetworkManager leaves alone."; };
    plugins = mkOption { type = types.listOf types.package; default = [ ]; example = lib.literalExpression "[ pkgs.network-manager-openvpn ]"; description = "Packages with plug-ins."; };
    connectionConfig = mkOption { type = types.attrsOf (types.nullOr (types.oneOf [ types.bool types.int types.str ])); default = { }; description = "Defaults of connections: the [connection] section."; };
    ethernet.macAddress = macAddress;
    wifi = {
      inherit macAddress;
      backend = mkOption { type = types.enum [ "wpa_supplicant" "iwd" ]; default = "wpa_supplicant"; description = "What speaks to wireless networks."; };
      powersave = mkOption { type = types.nullOr types.bool; default = null; description = "Whether wireless interfaces save power."; };
      scanRandMacAddress = mkOption { type = types.bool; default = true; description = "Whether scans use a random MAC address."; };
    };
    ensureProfiles.profiles = mkOption {
      type = types.attrsOf ini.type;
      default = { };
      example = { home = { connection = { id = "home"; type = "wifi"; }; wifi.ssid = "home"; }; };
      description = "Connections that exist, as in nm-settings-keyfile(5). Secrets in them are readable in the store.";
    };
  };

  config = mkIf cfg.enable {
    environment.systemPackages = [ pkgs.network-manager pkgs.polkitd ] ++ cfg.plugins
      ++ lib.optional (cfg.wifi.backend == "iwd") pkgs.iwd
      ++ lib.optional (cfg.dns == "dnsmasq") pkgs.dnsmasq-base
      ++ lib.optional (cfg.dhcp == "dhcpcd") pkgs.dhcpcd-base;
    systemd.packages = [ pkgs.network-manager ] ++ lib.optional (cfg.wifi.backend == "iwd") pkgs.iwd;
    networking.networkmanager.connectionConfig = {
      "ethernet.cloned-mac-address" = lib.mkDefault cfg.ethernet.macAddress;
      "wifi.cloned-mac-address" = lib.mkDefault cfg.wifi.macAddress;
    } // lib.optionalAttrs (cfg.wifi.powersave != null) {
      "wifi.powersave" = lib.mkDefault (if cfg.wifi.powersave then 3 else 2);
    };
    networking.networkmanager.settings = {
      main = {
        plugins = lib.mkDefault "keyfile";
        dns = lib.mkDefault cfg.dns;
        dhcp = lib.mkDefault cfg.dhcp;
      };
      keyfile.unmanaged-devices = mkIf (cfg.unmanaged != [ ]) (lib.mkDefault (lib.concatStringsSep ";" cfg.unmanaged));
      logging.level = lib.mkDefault cfg.logLevel;
      connection = cfg.connectionConfig;
      device = {
        "wifi.scan-rand-mac-address" = lib.mkDefault cfg.wifi.scanRandMacAddress;
        "wifi.backend" = lib.mkDefault cfg.wifi.backend;
      };
    };
    environment.etc = {
      "NetworkManager/NetworkManager.conf".source = ini.generate "NetworkManager.conf" cfg.settings;
      # As on NixOS: whoever is in the group changes networks without a password.
      "polkit-1/rules.d/50-networkmanager.rules".text = ''
        polkit.addRule(function(action, subject) {
          if (subject.isInGroup("networkmanager") && action.id.indexOf("org.freedesktop.NetworkManager.") == 0) {
            return polkit.Result.YES;
          }
        });
      '';
    } // lib.mapAttrs' profileFile cfg.ensureProfiles.profiles;
    # Connections that people make survive a reboot.
    environment.persistence.directories = [ { path = "/etc/NetworkManager/system-connections"; mode = "0700"; } ];
    users.groups.netdev = { };
    users.groups.networkmanager = { };
  };
}
