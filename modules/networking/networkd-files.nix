# networkd's files as options and as text: .network, .netdev and .link, with NixOS's names of their sections.
# Knows which sections there are, and no key in them: systemd's manual pages do.
{ lib, pkgs }:

let
  inherit (lib) mkOption types;
  text = import ../systemd/unit-text.nix { inherit lib pkgs; };
  unit = import ../systemd/unit-options.nix { inherit lib pkgs; };

  # NixOS's option → the section's name. Those of `repeated` are lists: one section each.
  sections = {
    network = {
      matchConfig = "Match"; linkConfig = "Link"; networkConfig = "Network"; dhcpV4Config = "DHCPv4"; dhcpV6Config = "DHCPv6";
      dhcpPrefixDelegationConfig = "DHCPPrefixDelegation"; ipv6AcceptRAConfig = "IPv6AcceptRA"; dhcpServerConfig = "DHCPServer";
      ipv6SendRAConfig = "IPv6SendRA"; bridgeConfig = "Bridge"; lldpConfig = "LLDP"; canConfig = "CAN";
    };
    netdev = {
      matchConfig = "Match"; netdevConfig = "NetDev"; bridgeConfig = "Bridge"; vlanConfig = "VLAN"; macvlanConfig = "MACVLAN";
      ipvlanConfig = "IPVLAN"; vxlanConfig = "VXLAN"; tunnelConfig = "Tunnel"; peerConfig = "Peer"; tunConfig = "Tun";
      tapConfig = "Tap"; bondConfig = "Bond"; wireguardConfig = "WireGuard"; vrfConfig = "VRF";
    };
    link = { matchConfig = "Match"; linkConfig = "Link"; };
  };
  repeated = {
    network = {
      addresses = "Address"; routes = "Route"; routingPolicyRules = "RoutingPolicyRule"; ipv6Prefixes = "IPv6Prefix";
      bridgeVLANs = "BridgeVLAN"; bridgeFDBs = "BridgeFDB"; dhcpServerStaticLeases = "DHCPServerStaticLease";
    };
    netdev.wireguardPeers = "WireGuardPeer";
    link = { };
  };
  # Keys of [Network] that have options of their own.
  short = {
    DHCP = "DHCP"; address = "Address"; gateway = "Gateway"; dns = "DNS"; ntp = "NTP"; domains = "Domains"; bridge = "Bridge";
    bond = "Bond"; vlan = "VLAN"; macvlan = "MACVLAN"; vxlan = "VXLAN"; tunnel = "Tunnel"; vrf = "VRF";
  };

  sectionOption = name: mkOption { type = unit.section; default = { }; description = "The [${name}] section."; };
  listOption = name: mkOption { type = types.listOf unit.section; default = [ ]; description = "[${name}] sections."; };

  file = kind: types.attrsOf (types.submodule {
    options = {
      enable = mkOption { type = types.bool; default = true; description = "Whether the file exists."; };
      extraConfig = mkOption { type = types.lines; default = ""; description = "More lines at the end."; };
    }
    // lib.mapAttrs (_: sectionOption) sections.${kind}
    // lib.mapAttrs (_: listOption) repeated.${kind}
    // lib.optionalAttrs (kind == "network") (
      lib.mapAttrs (_: key: mkOption {
        type = if key == "DHCP" then types.nullOr types.str else types.listOf types.str;
        default = if key == "DHCP" then null else [ ];
        description = "`${key}` in [Network].";
      }) short
      // { name = mkOption { type = types.nullOr types.str; default = null; description = "`Name` in [Match]."; }; }
    );
  });

  # The short forms in their sections.
  complete = kind: f:
    if kind != "network" then f
    else f // {
      matchConfig = lib.optionalAttrs (f.name != null) { Name = f.name; } // f.matchConfig;
      networkConfig = lib.filterAttrs (_: v: v != null && v != [ ]) (
        lib.mapAttrs' (option: key: lib.nameValuePair key f.${option}) short
      ) // f.networkConfig;
    };

  # [Match] first, as people read it; within a file the order of sections means nothing.
  fileText = kind: given:
    let
      f = complete kind given;
      names = [ "matchConfig" ] ++ lib.remove "matchConfig" (lib.attrNames sections.${kind});
    in
    lib.concatMapStrings (o: text.section sections.${kind}.${o} f.${o}) names
    + lib.concatStrings (lib.mapAttrsToList (o: s: lib.concatMapStrings (text.section s) f.${o}) repeated.${kind})
    + f.extraConfig;
in
{
  networks = file "network";
  netdevs = file "netdev";
  links = file "link";
  network.config = types.attrsOf unit.section;

  # KIND ("network") → files by name → environment.etc
  entries = kind: all: lib.mapAttrs' (
    name: f: lib.nameValuePair "systemd/network/${name}.${kind}" { text = fileText kind f; }
  ) (lib.filterAttrs (_: f: f.enable) all);

  # { networkConfig = { … }; dhcpV4Config = { … }; } of networkd.conf.
  configText = config: lib.concatStrings (
    lib.mapAttrsToList (o: text.section ({ networkConfig = "Network"; dhcpV4Config = "DHCPv4"; dhcpV6Config = "DHCPv6"; }.${o} or o)) config
  );
}
