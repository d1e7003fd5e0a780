# `networking.firewall`: an nftables table that refuses what is not allowed.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types mkIf;
  cfg = config.networking.firewall;

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
  allowed = protocol: single: ranges:
    let
      all = map toString single ++ map (r: "${toString r.from}-${toString r.to}") ranges;
    in
    lib.optionalString (all != [ ]) "${protocol} dport { ${lib.concatStringsSep ", " all} } accept";

  ruleset = ''
    #!/usr/sbin/nft -f
    # Esker's own table: a switch replaces it in one transaction and leaves others alone.
    table inet nixos-fw
    delete table inet nixos-fw
    table inet nixos-fw {
      chain input {
        type filter hook input priority filter; policy drop;
        iifname { ${lib.concatMapStringsSep ", " builtins.toJSON cfg.trustedInterfaces} } accept comment "trusted interfaces"
        ct state vmap { invalid : drop, established : accept, related : accept, new : jump input-allow, untracked : jump input-allow }
        ${lib.optionalString cfg.logRefusedConnections ''tcp flags syn / fin,syn,rst,ack log level info prefix "refused connection: "''}
        ${lib.optionalString cfg.rejectPackets "reject with icmpx type admin-prohibited"}
      }
      chain input-allow {
        ${allowed "tcp" cfg.allowedTCPPorts cfg.allowedTCPPortRanges}
        ${allowed "udp" cfg.allowedUDPPorts cfg.allowedUDPPortRanges}
        ${lib.optionalString cfg.allowPing "icmp type echo-request accept"}
        icmpv6 type != { nd-redirect, 139 } accept
        ip6 daddr fe80::/64 udp dport 546 accept comment "DHCPv6 client"
        ${cfg.extraInputRules}
      }
    }
  '';
in
{
  options.networking = {
    nftables.enable = mkOption { type = types.bool; default = true; description = "Accepted for configurations that come from NixOS; the firewall is always nftables'."; };
    firewall = {
      enable = mkOption { type = types.bool; default = true; description = "Whether incoming connections are refused unless they are allowed."; };
      allowedTCPPorts = ports "TCP ports that are open.";
      allowedUDPPorts = ports "UDP ports that are open.";
      allowedTCPPortRanges = ranges "Ranges of TCP ports that are open.";
      allowedUDPPortRanges = ranges "Ranges of UDP ports that are open.";
      allowPing = mkOption { type = types.bool; default = true; description = "Whether the machine answers pings."; };
      rejectPackets = mkOption { type = types.bool; default = false; description = "Whether refused packets are answered instead of dropped."; };
      logRefusedConnections = mkOption { type = types.bool; default = true; description = "Whether refused connections are logged."; };
      trustedInterfaces = mkOption { type = types.listOf types.str; default = [ ]; description = "Interfaces from which everything is accepted."; };
      extraInputRules = mkOption { type = types.lines; default = ""; example = "ip saddr 10.0.0.0/8 tcp dport 9100 accept"; description = "More rules of nftables, in the chain of what is accepted."; };
    };
  };

  config = mkIf cfg.enable {
    networking.firewall.trustedInterfaces = [ "lo" ];
    environment.systemPackages = [ pkgs.nftables ];
    environment.etc."nftables.conf".text = ruleset;
    systemd.services.nftables = {
      description = "Firewall";
      wantedBy = [ "sysinit.target" ];
      before = [ "network-pre.target" "shutdown.target" ];
      wants = [ "network-pre.target" ];
      conflicts = [ "shutdown.target" ];
      reloadIfChanged = true;
      restartTriggers = [ ruleset ];
      unitConfig.DefaultDependencies = false;
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = "/usr/sbin/nft -f /etc/nftables.conf";
        ExecReload = "/usr/sbin/nft -f /etc/nftables.conf";
        ExecStop = "/usr/sbin/nft delete table inet nixos-fw";
      };
    };
  };
}
