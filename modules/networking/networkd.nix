# systemd-networkd: Esker's way to configure interfaces, unless NetworkManager is enabled. `systemd.network` is
# networkd's own language; `networking.interfaces` and what else `networking` has are translated to it.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types mkIf;
  cfg = config.networking;
  networkd = config.systemd.network;
  files = import ./networkd-files.nix { inherit lib pkgs; };

  addresses = i: map (a: "${a.address}/${toString a.prefixLength}") (i.ipv4.addresses ++ i.ipv6.addresses);
  wantsDHCP = i: if i.useDHCP == null then cfg.useDHCP && addresses i == [ ] else i.useDHCP;

  # A gateway that names no interface belongs to each that has addresses of its own.
  gatewaysOf = i: lib.concatMap (
    g: lib.optional (g != null && (if g.interface == null then addresses i != [ ] else g.interface == i.name)) (
      { Gateway = g.address; } // lib.optionalAttrs (g.metric != null) { Metric = g.metric; }
    )
  ) [ cfg.defaultGateway cfg.defaultGateway6 ];

  # ip-route(8)'s names of parameters, and networkd's.
  routeParameters = {
    metric = "Metric"; scope = "Scope"; src = "PreferredSource"; table = "Table"; mtu = "MTUBytes";
    onlink = "GatewayOnLink"; proto = "Protocol"; initcwnd = "InitialCongestionWindow";
  };
  routeOf = r:
    { Destination = "${r.address}/${toString r.prefixLength}"; }
    // lib.optionalAttrs (r.via != null) { Gateway = r.via; }
    // lib.optionalAttrs (r.type != null) { Type = r.type; }
    // lib.mapAttrs' (n: v: lib.nameValuePair (routeParameters.${n} or (throw "networking.interfaces: a route has no parameter `${n}`; there are ${lib.concatStringsSep ", " (lib.attrNames routeParameters)}")) v) r.options;

  ofInterface = i: {
    matchConfig.Name = i.name;
    linkConfig = lib.optionalAttrs (i.mtu != null) { MTUBytes = i.mtu; }
      // lib.optionalAttrs (i.macAddress != null) { MACAddress = i.macAddress; };
    networkConfig = {
      DHCP = if wantsDHCP i then "yes" else "no";
      IPv6PrivacyExtensions = { disabled = "no"; enabled = "yes"; default = "kernel"; }.${i.tempAddress};
      DNS = cfg.nameservers;
      Domains = cfg.search;
    };
    address = addresses i;
    routes = gatewaysOf i ++ map routeOf (i.ipv4.routes ++ i.ipv6.routes);
  };

  # Bridges, bonds and VLANs are made by a .netdev; their members point at them.
  netdevs = lib.mkMerge [
    (lib.mapAttrs' (name: b: lib.nameValuePair "40-${name}" {
      netdevConfig = { Name = name; Kind = "bridge"; };
      bridgeConfig = lib.optionalAttrs b.rstp { STP = true; };
    }) cfg.bridges)
    (lib.mapAttrs' (name: b: lib.nameValuePair "40-${name}" {
      netdevConfig = { Name = name; Kind = "bond"; };
      bondConfig = lib.mapAttrs' (n: v: lib.nameValuePair (bondParameters.${n} or n) v) b.driverOptions;
    }) cfg.bonds)
    (lib.mapAttrs' (name: v: lib.nameValuePair "40-${name}" {
      netdevConfig = { Name = name; Kind = "vlan"; };
      vlanConfig.Id = v.id;
    }) cfg.vlans)
    (lib.mapAttrs' (name: i: lib.nameValuePair "40-${name}" {
      netdevConfig = { Name = i.name; Kind = i.virtualType; };
    }) (lib.filterAttrs (_: i: i.virtual) cfg.interfaces))
  ];
  bondParameters = {
    mode = "Mode"; miimon = "MIIMonitorSec"; xmit_hash_policy = "TransmitHashPolicy"; lacp_rate = "LACPTransmitRate";
    primary = "PrimaryReselectPolicy"; updelay = "UpDelaySec"; downdelay = "DownDelaySec"; min_links = "MinLinks";
  };
  member = name: attribute: value: lib.nameValuePair "40-${name}" { matchConfig.Name = name; networkConfig.${attribute} = value; };
  members =
    lib.concatLists (lib.mapAttrsToList (name: b: map (i: lib.listToAttrs [ (member i "Bridge" name) ]) b.interfaces) cfg.bridges)
    ++ lib.concatLists (lib.mapAttrsToList (name: b: map (i: lib.listToAttrs [ (member i "Bond" name) ]) b.interfaces) cfg.bonds)
    ++ lib.mapAttrsToList (name: v: lib.listToAttrs [ (member v.interface "VLAN" [ name ]) ]) cfg.vlans;

  interfacesOption = description: options: mkOption {
    default = { };
    inherit description;
    type = types.attrsOf (types.submodule { inherit options; });
  };
  membersOption = mkOption { type = types.listOf types.str; description = "The interfaces in it."; };
in
{
  options = {
    networking = {
      useNetworkd = mkOption {
        type = types.bool;
        default = !cfg.networkmanager.enable;
        defaultText = lib.literalExpression "!config.networking.networkmanager.enable";
        description = "Whether systemd-networkd configures the interfaces.";
      };
      bridges = interfacesOption "Bridges." {
        interfaces = membersOption;
        rstp = mkOption { type = types.bool; default = false; description = "Whether the spanning tree protocol is used."; };
      };
      bonds = interfacesOption "Bonds: several interfaces as one." {
        interfaces = membersOption;
        driverOptions = mkOption { type = types.attrsOf types.str; default = { }; example = { mode = "802.3ad"; miimon = "100ms"; }; description = "The bond's options."; };
      };
      vlans = interfacesOption "Virtual LANs." {
        id = mkOption { type = types.ints.between 0 4094; description = "The tag."; };
        interface = mkOption { type = types.str; description = "The interface that carries it."; };
      };
    };
    systemd.network = {
      enable = mkOption { type = types.bool; default = cfg.useNetworkd; defaultText = lib.literalExpression "config.networking.useNetworkd"; description = "Whether systemd-networkd runs."; };
      config = mkOption { type = files.network.config; default = { }; description = "networkd's own settings, as in networkd.conf(5)."; };
      wait-online = {
        enable = mkOption { type = types.bool; default = true; description = "Whether network-online.target waits until an interface is online."; };
        anyInterface = mkOption { type = types.bool; default = true; description = "Whether one interface is enough."; };
        ignoredInterfaces = mkOption { type = types.listOf types.str; default = [ ]; description = "Interfaces that are not waited for."; };
        timeout = mkOption { type = types.ints.unsigned; default = 30; description = "For how many seconds at most; 0 waits for ever."; };
        extraArgs = mkOption { type = types.listOf types.str; default = [ ]; description = "More arguments of systemd-networkd-wait-online."; };
      };
      links = mkOption { type = files.links; default = { }; description = "Link files, as in systemd.link(5). udev reads them."; };
      netdevs = mkOption { type = files.netdevs; default = { }; description = "Virtual devices, as in systemd.netdev(5)."; };
      networks = mkOption { type = files.networks; default = { }; description = "Network files, as in systemd.network(5)."; };
    };
  };

  config = lib.mkMerge [
    {
      systemd.network.links = lib.mapAttrs' (name: i: lib.nameValuePair "40-${name}" {
        matchConfig.OriginalName = i.name;
        linkConfig = { NamePolicy = "keep kernel database onboard slot path"; WakeOnLan = "magic"; };
      }) (lib.filterAttrs (_: i: i.wakeOnLan.enable) cfg.interfaces);
      environment.etc = files.entries "link" networkd.links;
    }
    (mkIf networkd.enable {
      systemd.network.netdevs = netdevs;
      systemd.network.networks = lib.mkMerge (
        members
        ++ [
          (lib.mapAttrs' (name: i: lib.nameValuePair "40-${i.name}" (ofInterface i)) cfg.interfaces)
          (lib.optionalAttrs cfg.useDHCP {
            "99-ethernet-default-dhcp" = {
              matchConfig = { Type = "ether"; Kind = "!*"; };
              networkConfig = { DHCP = "yes"; DNS = cfg.nameservers; Domains = cfg.search; };
              dhcpV4Config.RouteMetric = 1024;
            };
            "99-wireless-client-dhcp" = {
              matchConfig.WLANInterfaceType = "station";
              networkConfig = { DHCP = "yes"; DNS = cfg.nameservers; Domains = cfg.search; };
              dhcpV4Config.RouteMetric = 1025;
            };
          })
        ]
      );

      # Debian's preset leaves networkd off.
      systemd.enabledPackageUnits = [ "systemd-networkd.service" ]
        ++ lib.optional networkd.wait-online.enable "systemd-networkd-wait-online.service";

      environment.etc = lib.mkMerge [
        (files.entries "network" networkd.networks)
        (files.entries "netdev" networkd.netdevs)
        {
          "systemd/networkd.conf.d/10-esker.conf" = mkIf (networkd.config != { }) { text = files.configText networkd.config; };
          "systemd/system/systemd-networkd-wait-online.service.d/overrides.conf".text = ''
            [Service]
            ExecStart=
            ExecStart=/usr/lib/systemd/systemd-networkd-wait-online ${lib.concatStringsSep " " (
              lib.optional networkd.wait-online.anyInterface "--any"
              ++ map (i: "--ignore=${i}") networkd.wait-online.ignoredInterfaces
              ++ [ "--timeout=${toString networkd.wait-online.timeout}" ]
              ++ networkd.wait-online.extraArgs
            )}
          '';
        }
      ];
    })
  ];
}
