# systemd-networkd: Esker's way to configure interfaces, unless NetworkManager is enabled.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types mkIf;
  cfg = config.networking;
  networkd = config.systemd.network;
  text = import ../systemd/unit-text.nix { inherit lib pkgs; };
  unit = import ../systemd/unit-options.nix { inherit lib pkgs; };

  addresses = i: map (a: "${a.address}/${toString a.prefixLength}") (i.ipv4.addresses ++ i.ipv6.addresses);
  wantsDHCP = i: if i.useDHCP == null then cfg.useDHCP && addresses i == [ ] else i.useDHCP;
  gatewaysFor = i: lib.concatMap (g: lib.optional (g != null && (g.interface == null || g.interface == i.name)) g.address) [
    cfg.defaultGateway
    cfg.defaultGateway6
  ];

  ofInterface = i: {
    matchConfig.Name = i.name;
    linkConfig = lib.optionalAttrs (i.mtu != null) { MTUBytes = i.mtu; }
      // lib.optionalAttrs (i.macAddress != null) { MACAddress = i.macAddress; };
    networkConfig = {
      DHCP = if wantsDHCP i then "yes" else "no";
      Address = addresses i;
      Gateway = lib.optionals (addresses i != [ ]) (gatewaysFor i);
      DNS = cfg.nameservers;
      Domains = cfg.search;
      IPv6PrivacyExtensions = "kernel";
    };
    dhcpV4Config = { };
  };

  networkText = n:
    text.section "Match" n.matchConfig
    + text.section "Link" n.linkConfig
    + text.section "Network" n.networkConfig
    + text.section "DHCPv4" n.dhcpV4Config;

  sectionOption = description: mkOption { type = unit.section; default = { }; inherit description; };
in
{
  options = {
    networking.useNetworkd = mkOption {
      type = types.bool;
      default = !cfg.networkmanager.enable;
      defaultText = lib.literalExpression "!config.networking.networkmanager.enable";
      description = "Whether systemd-networkd configures the interfaces.";
    };
    systemd.network = {
      enable = mkOption { type = types.bool; default = cfg.useNetworkd; defaultText = lib.literalExpression "config.networking.useNetworkd"; description = "Whether systemd-networkd runs."; };
      wait-online.enable = mkOption { type = types.bool; default = true; description = "Whether network-online.target waits until an interface is online."; };
      networks = mkOption {
        default = { };
        description = "Network files, as in systemd.network(5).";
        type = types.attrsOf (types.submodule {
          options = {
            matchConfig = sectionOption "The [Match] section.";
            linkConfig = sectionOption "The [Link] section.";
            networkConfig = sectionOption "The [Network] section.";
            dhcpV4Config = sectionOption "The [DHCPv4] section.";
          };
        });
      };
    };
  };

  config = mkIf networkd.enable {
    systemd.network.networks = lib.mapAttrs' (name: i: lib.nameValuePair "40-${name}" (ofInterface i)) cfg.interfaces
      // lib.optionalAttrs cfg.useDHCP {
        "99-ethernet-default-dhcp" = {
          matchConfig = { Type = "ether"; Kind = "!*"; };
          linkConfig = { };
          networkConfig = { DHCP = "yes"; DNS = cfg.nameservers; Domains = cfg.search; };
          dhcpV4Config.RouteMetric = 1024;
        };
      };

    # Debian's preset leaves networkd off.
    systemd.enabledPackageUnits = [ "systemd-networkd.service" ]
      ++ lib.optional networkd.wait-online.enable "systemd-networkd-wait-online.service";

    environment.etc = lib.mkMerge [
      (lib.mapAttrs' (
        name: n: lib.nameValuePair "systemd/network/${name}.network" { text = networkText n; }
      ) networkd.networks)
      {
        "systemd/system/systemd-networkd-wait-online.service.d/overrides.conf".text = ''
          [Service]
          ExecStart=
          ExecStart=/usr/lib/systemd/systemd-networkd-wait-online --any --timeout=30
        '';
      }
    ];
  };
}
