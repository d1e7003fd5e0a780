# `networking.*`: names and addresses. Interfaces are configured by systemd-networkd (networkd.nix) or, where it is
# enabled, by NetworkManager.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.networking;

  address = max: types.submodule {
    options = {
      address = mkOption { type = types.str; description = "The address."; };
      prefixLength = mkOption { type = types.ints.between 0 max; description = "The length of the network's prefix, in bits."; };
    };
  };

  route = max: types.submodule {
    options = {
      address = mkOption { type = types.str; description = "The network's address."; };
      prefixLength = mkOption { type = types.ints.between 0 max; description = "The length of the network's prefix, in bits."; };
      via = mkOption { type = types.nullOr types.str; default = null; description = "The next hop."; };
      type = mkOption {
        type = types.nullOr (types.enum [ "unicast" "local" "broadcast" "multicast" "blackhole" "unreachable" "prohibit" "throw" "nat" "anycast" "xresolve" ]);
        default = null;
        description = "The route's type, where it is not a plain one.";
      };
      options = mkOption { type = types.attrsOf types.str; default = { }; example = { metric = "10"; }; description = "Further parameters: metric, scope, src, table, mtu, onlink."; };
    };
  };

  interface = { name, ... }: {
    options = {
      name = mkOption { type = types.str; default = name; description = "The interface's name."; };
      useDHCP = mkOption { type = types.nullOr types.bool; default = null; description = "Whether the address comes from DHCP."; };
      ipv4.addresses = mkOption { type = types.listOf (address 32); default = [ ]; description = "IPv4 addresses."; };
      ipv4.routes = mkOption { type = types.listOf (route 32); default = [ ]; description = "IPv4 routes."; };
      ipv6.routes = mkOption { type = types.listOf (route 128); default = [ ]; description = "IPv6 routes."; };
      ipv6.addresses = mkOption { type = types.listOf (address 128); default = [ ]; description = "IPv6 addresses."; };
      macAddress = mkOption { type = types.nullOr types.str; default = null; description = "The MAC address to use."; };
      tempAddress = mkOption { type = types.enum [ "disabled" "enabled" "default" ]; default = "default"; description = "Whether temporary IPv6 addresses are made and preferred; `default` leaves it to the kernel."; };
      wakeOnLan.enable = mkOption { type = types.bool; default = false; description = "Whether a magic packet wakes the machine."; };
      virtual = mkOption { type = types.bool; default = false; description = "Whether the interface is a virtual one (tun or tap) that is made."; };
      virtualType = mkOption { type = types.enum [ "tun" "tap" ]; default = if lib.hasPrefix "tun" name then "tun" else "tap"; defaultText = "by the name's prefix"; description = "Which kind."; };
      mtu = mkOption { type = types.nullOr types.int; default = null; description = "The largest packet, in bytes."; };
    };
  };

  gateway = types.nullOr (types.coercedTo types.str (a: { address = a; }) (types.submodule {
    options = {
      address = mkOption { type = types.str; description = "The gateway's address."; };
      interface = mkOption { type = types.nullOr types.str; default = null; description = "The interface that leads to it."; };
      metric = mkOption { type = types.nullOr types.int; default = null; description = "The route's metric; the lowest is used."; };
    };
  }));

  hostsLines = lib.concatStrings (lib.mapAttrsToList (ip: names: lib.optionalString (names != [ ]) "${ip} ${lib.concatStringsSep " " names}\n") cfg.hosts);
in
{
  options.networking = {
    hostName = mkOption {
      type = types.strMatching "|[a-zA-Z0-9]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?";
      default = "esker";
      description = "The machine's name.";
    };
    domain = mkOption { type = types.nullOr types.str; default = null; example = "home.arpa"; description = "The machine's domain."; };
    fqdn = mkOption {
      type = types.str;
      default = cfg.hostName + lib.optionalString (cfg.domain != null) ".${cfg.domain}";
      defaultText = lib.literalExpression ''"''${networking.hostName}.''${networking.domain}"'';
      description = "The full name.";
    };
    hosts = mkOption {
      type = types.attrsOf (types.listOf types.str);
      default = { };
      example = { "192.168.0.2" = [ "fileserver.local" ]; };
      description = "Lines of /etc/hosts: names by address.";
    };
    extraHosts = mkOption { type = types.lines; default = ""; description = "More lines of /etc/hosts."; };
    useDHCP = mkOption { type = types.bool; default = true; description = "Whether interfaces without settings of their own get their address by DHCP."; };
    interfaces = mkOption { type = types.attrsOf (types.submodule interface); default = { }; description = "Interfaces."; };
    nameservers = mkOption { type = types.listOf types.str; default = [ ]; example = [ "9.9.9.9" ]; description = "Name servers."; };
    search = mkOption { type = types.listOf types.str; default = [ ]; description = "Domains in which short names are looked up."; };
    defaultGateway = mkOption { type = gateway; default = null; description = "The IPv4 gateway."; };
    defaultGateway6 = mkOption { type = gateway; default = null; description = "The IPv6 gateway."; };
    usePredictableInterfaceNames = mkOption { type = types.bool; default = true; description = "Whether interfaces are named by where they are plugged in, not `eth0`, `eth1` as they are found."; };
    enableIPv6 = mkOption { type = types.bool; default = true; description = "Whether IPv6 is used."; };
  };

  config = {
    networking.hosts = {
      "127.0.0.1" = [ "localhost" ];
      "127.0.1.1" = lib.optional (cfg.hostName != "") (if cfg.domain == null then cfg.hostName else "${cfg.fqdn} ${cfg.hostName}");
    } // lib.optionalAttrs cfg.enableIPv6 { "::1" = [ "localhost" "ip6-localhost" "ip6-loopback" ]; };

    environment.etc = {
      hostname.text = cfg.hostName + "\n";
      hosts.text = hostsLines + cfg.extraHosts;
    };

    boot.kernelParams = lib.optional (!cfg.usePredictableInterfaceNames) "net.ifnames=0";
    boot.kernel.sysctl = lib.mkIf (!cfg.enableIPv6) { "net.ipv6.conf.all.disable_ipv6" = true; };
  };
}
