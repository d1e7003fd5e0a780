# `networking.nat`: a network behind this machine shares its address, and ports lead into it.
{ lib, config, ... }:

let
  inherit (lib) mkOption types mkIf;
  cfg = config.networking.nat;

  names = list: "{ ${lib.concatMapStringsSep ", " builtins.toJSON list} }";
  outside = lib.optionalString (cfg.externalInterface != null) "oifname ${builtins.toJSON cfg.externalInterface} ";
  masquerade = if cfg.externalIP == null then "masquerade" else "snat to ${cfg.externalIP}";
  from = lib.optional (cfg.internalInterfaces != [ ]) "iifname ${names cfg.internalInterfaces} ${outside}${masquerade}"
    ++ lib.optional (cfg.internalIPs != [ ]) "ip saddr { ${lib.concatStringsSep ", " cfg.internalIPs} } ${outside}${masquerade}";

  # NixOS writes a range of ports as `8000:8010`, nftables as `8000-8010`.
  port = p: lib.replaceStrings [ ":" ] [ "-" ] (toString p);
  forward = f:
    lib.optionalString (cfg.externalInterface != null) "iifname ${builtins.toJSON cfg.externalInterface} "
    + "${f.proto} dport ${port f.sourcePort} dnat to ${f.destination}";
in
{
  options.networking.nat = {
    enable = mkOption { type = types.bool; default = false; description = "Whether addresses are translated."; };
    enableIPv6 = mkOption { type = types.bool; default = false; description = "Whether IPv6 is forwarded, too."; };
    internalInterfaces = mkOption { type = types.listOf types.str; default = [ ]; example = [ "eth1" ]; description = "Interfaces of the network behind this machine."; };
    internalIPs = mkOption { type = types.listOf types.str; default = [ ]; example = [ "192.168.1.0/24" ]; description = "Addresses of it."; };
    externalInterface = mkOption { type = types.nullOr types.str; default = null; example = "eth0"; description = "The interface to the world."; };
    externalIP = mkOption { type = types.nullOr types.str; default = null; description = "The address that is shared; `null` takes the interface's."; };
    forwardPorts = mkOption {
      default = [ ];
      example = [ { sourcePort = 8080; destination = "10.0.0.2:80"; } ];
      description = "Ports that lead into the network.";
      type = types.listOf (types.submodule {
        options = {
          sourcePort = mkOption { type = types.either types.port (types.strMatching "[0-9]+:[0-9]+"); description = "The port, or a range `from:to`."; };
          destination = mkOption { type = types.str; description = "The address and port it leads to."; };
          proto = mkOption { type = types.enum [ "tcp" "udp" ]; default = "tcp"; description = "The protocol."; };
        };
      });
    };
    dmzHost = mkOption { type = types.nullOr types.str; default = null; description = "The address that gets everything that nothing else takes."; };
  };

  config = mkIf cfg.enable {
    boot.kernel.sysctl = {
      "net.ipv4.conf.all.forwarding" = lib.mkOverride 99 true;
      "net.ipv4.conf.default.forwarding" = lib.mkOverride 99 true;
    } // lib.optionalAttrs cfg.enableIPv6 { "net.ipv6.conf.all.forwarding" = lib.mkOverride 99 true; };
    networking.nftables.tables.nixos-nat = {
      family = "ip";
      content = ''
        chain pre {
          type nat hook prerouting priority dstnat;
          ${lib.concatMapStrings (f: forward f + "\n") cfg.forwardPorts}
          ${lib.optionalString (cfg.dmzHost != null && cfg.externalInterface != null) "iifname ${builtins.toJSON cfg.externalInterface} dnat to ${cfg.dmzHost}"}
        }
        chain post {
          type nat hook postrouting priority srcnat;
          ${lib.concatMapStrings (r: r + "\n") from}
        }
      '';
    };
  };
}
