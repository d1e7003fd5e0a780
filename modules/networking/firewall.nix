# `networking.firewall`: an nftables table that refuses what is not allowed. nftables itself, tables of one's own and
# address translation are in nftables.nix and nat.nix.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types mkIf;
  cfg = config.networking.firewall;
  flag = default: description: mkOption { type = types.bool; inherit default description; };

  ports = description: mkOption {
    type = types.listOf types.port;
    default = [ ];
    apply = p: lib.unique (lib.sort (a: b: a < b) p);
    inherit description;
  };
  ranges = description: mkOption {
    type = types.listOf (types.attrsOf types.port);
    default = [ ];
    example = [ { from = 8000; to = 8010; } ];
    inherit description;
  };
  # The same for all interfaces and for each.
  allowedOptions = {
    allowedTCPPorts = ports "TCP ports that are open.";
    allowedUDPPorts = ports "UDP ports that are open.";
    allowedTCPPortRanges = ranges "Ranges of TCP ports that are open.";
    allowedUDPPortRanges = ranges "Ranges of UDP ports that are open.";
  };

  rule = interface: protocol: single: ranges:
    let
      all = map toString single ++ map (r: "${toString r.from}-${toString r.to}") ranges;
      where = lib.optionalString (interface != null) "iifname ${builtins.toJSON interface} ";
    in
    lib.optionalString (all != [ ]) "${where}${protocol} dport { ${lib.concatStringsSep ", " all} } accept\n";
  rulesOf = interface: a:
    rule interface "tcp" a.allowedTCPPorts a.allowedTCPPortRanges + rule interface "udp" a.allowedUDPPorts a.allowedUDPPortRanges;

  table = ''
    ${lib.optionalString (cfg.checkReversePath != false) ''
      chain rpfilter {
        type filter hook prerouting priority mangle + 10; policy drop;
        meta nfproto ipv4 udp sport . udp dport { 67 . 68, 68 . 67 } accept comment "DHCPv4 client and server"
        fib saddr . mark ${lib.optionalString (cfg.checkReversePath != "loose") ". iif "}oif exists accept
        ${cfg.extraReversePathFilterRules}
        ${lib.optionalString cfg.logReversePathDrops ''log level info prefix "rpfilter drop: "''}
      }
    ''}
    chain input {
      type filter hook input priority filter; policy drop;
      iifname { ${lib.concatMapStringsSep ", " builtins.toJSON cfg.trustedInterfaces} } accept comment "trusted interfaces"
      ct state vmap { invalid : drop, established : accept, related : accept, new : jump input-allow, untracked : jump input-allow }
      ${lib.optionalString cfg.logRefusedConnections ''tcp flags syn / fin,syn,rst,ack log level info prefix "refused connection: "''}
      ${lib.optionalString (cfg.logRefusedPackets && cfg.logRefusedUnicastsOnly) "meta pkttype { broadcast, multicast } drop"}
      ${lib.optionalString cfg.logRefusedPackets ''log level info prefix "refused packet: "''}
      ${lib.optionalString cfg.rejectPackets ''
        meta l4proto tcp reject with tcp reset
        reject with icmpx type admin-prohibited
      ''}
    }
    chain input-allow {
      ${rulesOf null cfg}
      ${lib.concatStrings (lib.mapAttrsToList rulesOf cfg.interfaces)}
      ${lib.optionalString cfg.allowPing "icmp type echo-request ${lib.optionalString (cfg.pingLimit != null) "limit rate ${cfg.pingLimit} "}accept"}
      icmpv6 type != { nd-redirect, 139 } accept
      ip6 daddr fe80::/64 udp dport 546 accept comment "DHCPv6 client"
      ${cfg.extraInputRules}
    }
    ${lib.optionalString cfg.filterForward ''
      chain forward {
        type filter hook forward priority filter; policy drop;
        ct state vmap { invalid : drop, established : accept, related : accept, new : jump forward-allow, untracked : jump forward-allow }
      }
      chain forward-allow {
        icmpv6 type != { router-renumbering, 139 } accept
        ct status dnat accept comment "forwarded ports"
        ${cfg.extraForwardRules}
      }
    ''}
  '';
in
{
  options.networking.firewall = allowedOptions // {
    enable = flag true "Whether incoming connections are refused unless they are allowed.";
    interfaces = mkOption {
      type = types.attrsOf (types.submodule { options = allowedOptions; });
      default = { };
      example = { eth1.allowedTCPPorts = [ 5432 ]; };
      description = "What is open on single interfaces.";
    };
    allowPing = flag true "Whether the machine answers pings.";
    pingLimit = mkOption { type = types.nullOr (types.separatedString " "); default = null; example = "2/second burst 5 packets"; description = "How many it answers."; };
    rejectPackets = flag false "Whether refused packets are answered instead of dropped.";
    checkReversePath = mkOption {
      type = types.either types.bool (types.enum [ "strict" "loose" ]);
      default = true;
      description = "Whether packets must come in where an answer would go out; `loose`: whether there is any way to their sender.";
    };
    extraReversePathFilterRules = mkOption { type = types.lines; default = ""; description = "More rules of what comes in that way all the same."; };
    logReversePathDrops = flag false "Whether packets dropped for their path are logged.";
    logRefusedConnections = flag true "Whether refused connections are logged.";
    logRefusedPackets = flag false "Whether every refused packet is logged.";
    logRefusedUnicastsOnly = flag true "Whether broadcasts are left out of that.";
    filterForward = flag false "Whether packets that pass through are refused unless they are allowed.";
    trustedInterfaces = mkOption { type = types.listOf types.str; default = [ ]; description = "Interfaces from which everything is accepted."; };
    extraInputRules = mkOption { type = types.lines; default = ""; example = "ip saddr 10.0.0.0/8 tcp dport 9100 accept"; description = "More rules of nftables, in the chain of what is accepted."; };
    extraForwardRules = mkOption { type = types.lines; default = ""; example = "iifname wg0 accept"; description = "More rules of what may pass through, with `filterForward`."; };
    extraPackages = mkOption { type = types.listOf types.package; default = [ ]; description = "Further packages that the rules need."; };
  };

  config = mkIf cfg.enable {
    networking.firewall.trustedInterfaces = [ "lo" ];
    environment.systemPackages = cfg.extraPackages;
    networking.nftables.tables.nixos-fw = { family = "inet"; content = table; };
  };
}
