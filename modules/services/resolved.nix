# `services.resolved`: name resolution by systemd-resolved.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types mkIf;
  cfg = config.services.resolved;
  text = import ../systemd/unit-text.nix { inherit lib pkgs; };
  unit = import ../systemd/unit-options.nix { inherit lib pkgs; };
  joined = lib.concatStringsSep " ";
in
{
  options.services.resolved = {
    enable = mkOption { type = types.bool; default = true; description = "Whether systemd-resolved resolves names."; };
    fallbackDns = mkOption { type = types.nullOr (types.listOf types.str); default = null; description = "Name servers for when no other is known."; };
    domains = mkOption { type = types.listOf types.str; default = config.networking.search; defaultText = lib.literalExpression "config.networking.search"; description = "Domains in which short names are looked up."; };
    llmnr = mkOption { type = types.enum [ "true" "resolve" "false" ]; default = "true"; description = "Whether LLMNR is used."; };
    dnssec = mkOption { type = types.enum [ "true" "allow-downgrade" "false" ]; default = "false"; description = "Whether answers are verified."; };
    dnsovertls = mkOption { type = types.enum [ "true" "opportunistic" "false" ]; default = "false"; description = "Whether questions are encrypted."; };
    settings.Resolve = mkOption { type = unit.section; default = { }; example = { Cache = "no-negative"; }; description = "Settings, as in resolved.conf(5)."; };
    extraConfig = mkOption { type = types.lines; default = ""; description = "More lines of resolved.conf."; };
  };

  config = lib.mkMerge [
    (mkIf cfg.enable {
      environment.systemPackages = [ pkgs.systemd-resolved ];
      systemd.packages = [ pkgs.systemd-resolved ];
      services.resolved.settings.Resolve = lib.mapAttrs (_: lib.mkDefault) (
        { LLMNR = cfg.llmnr; DNSSEC = cfg.dnssec; DNSOverTLS = cfg.dnsovertls; }
        // lib.optionalAttrs (config.networking.nameservers != [ ]) { DNS = joined config.networking.nameservers; }
        // lib.optionalAttrs (cfg.fallbackDns != null) { FallbackDNS = joined cfg.fallbackDns; }
        // lib.optionalAttrs (cfg.domains != [ ]) { Domains = joined cfg.domains; }
      );
      environment.etc."systemd/resolved.conf.d/10-esker.conf".text = text.section "Resolve" cfg.settings.Resolve + cfg.extraConfig;
      environment.etc."resolv.conf".link = "../run/systemd/resolve/stub-resolv.conf";
      environment.etc."nsswitch.conf".text = ''
        passwd:         files systemd
        group:          files systemd
        shadow:         files systemd
        gshadow:        files systemd

        hosts:          files resolve [!UNAVAIL=return] dns myhostname
        networks:       files

        protocols:      files
        services:       files
        ethers:         files
        rpc:            files

        netgroup:       nis
      '';
    })
    (mkIf (!cfg.enable) {
      environment.etc."nsswitch.conf".text = ''
        passwd:         files systemd
        group:          files systemd
        shadow:         files systemd
        gshadow:        files systemd

        hosts:          files dns myhostname
        networks:       files

        protocols:      files
        services:       files
        ethers:         files
        rpc:            files
      '';
      environment.etc."resolv.conf" = mkIf (config.networking.nameservers != [ ]) {
        text = lib.optionalString (config.networking.search != [ ]) "search ${joined config.networking.search}\n"
          + lib.concatMapStrings (n: "nameserver ${n}\n") config.networking.nameservers;
      };
    })
  ];
}
