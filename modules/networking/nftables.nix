# `networking.nftables`: tables of packet rules, loaded as one transaction before the network comes up.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types mkIf;
  cfg = config.networking.nftables;
  tables = lib.filter (t: t.enable) (lib.attrValues cfg.tables);

  # A table is emptied and filled anew; what others put into tables of their own stays.
  tableText = t: ''
    table ${t.family} ${t.name}
    delete table ${t.family} ${t.name}
    table ${t.family} ${t.name} {
    ${t.content}
    }
  '';
  ruleset = ''
    #!/usr/sbin/nft -f
    ${lib.optionalString cfg.flushRuleset "flush ruleset"}
    ${lib.concatMapStrings tableText tables}
    ${cfg.ruleset}
    ${lib.optionalString (cfg.rulesetFile != null) ''include "${cfg.rulesetFile}"''}
  '';
  # Tables that are gone would stay without this.
  deletions = lib.concatMapStrings (t: "table ${t.family} ${t.name}\ndelete table ${t.family} ${t.name}\n") tables;
  on = tables != [ ] || cfg.ruleset != "" || cfg.rulesetFile != null;
in
{
  options.networking.nftables = {
    enable = mkOption { type = types.bool; default = true; description = "Accepted for configurations that come from NixOS; the firewall is always nftables'."; };
    ruleset = mkOption { type = types.lines; default = ""; description = "Rules beside the tables."; };
    rulesetFile = mkOption { type = types.nullOr types.path; default = null; description = "A file with rules."; };
    flushRuleset = mkOption { type = types.bool; default = cfg.ruleset != "" || cfg.rulesetFile != null; defaultText = "whether `ruleset` or `rulesetFile` is set"; description = "Whether all rules, also other programs', go before these are loaded."; };
    tables = mkOption {
      default = { };
      description = "Tables.";
      type = types.attrsOf (types.submodule ({ name, ... }: {
        options = {
          enable = mkOption { type = types.bool; default = true; description = "Whether the table exists."; };
          name = mkOption { type = types.str; default = name; description = "Its name."; };
          family = mkOption { type = types.enum [ "ip" "ip6" "inet" "arp" "bridge" "netdev" ]; description = "Which packets it is about."; };
          content = mkOption { type = types.lines; description = "Its chains and rules."; };
        };
      }));
    };
  };

  config = mkIf on {
    environment.systemPackages = [ pkgs.nftables ];
    environment.etc."nftables.conf".text = ruleset;
    # What a stop, or the next generation, takes away again.
    environment.etc."nftables-stop.conf".text = deletions;
    systemd.services.nftables = {
      description = "Firewall";
      wantedBy = [ "sysinit.target" ];
      before = [ "network-pre.target" "shutdown.target" ];
      wants = [ "network-pre.target" ];
      conflicts = [ "shutdown.target" ];
      reloadIfChanged = true;
      restartTriggers = [ ruleset ];
      unitConfig = {
        DefaultDependencies = false;
        # A container on its host's network has no right to it.
        ConditionCapability = "CAP_NET_ADMIN";
      };
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        # The rules are checked as a whole, with the removal of the tables that the last ones had.
        ExecStart = [ "/usr/sbin/nft -f /etc/nftables.conf" "/usr/bin/cp /etc/nftables-stop.conf /run/nftables-stop.conf" ];
        ExecReload = [
          "/bin/sh -c 'cat /run/nftables-stop.conf /etc/nftables.conf | /usr/sbin/nft -f -'"
          "/usr/bin/cp /etc/nftables-stop.conf /run/nftables-stop.conf"
        ];
        ExecStop = "/usr/sbin/nft -f /run/nftables-stop.conf";
      };
    };
  };
}
