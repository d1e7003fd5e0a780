# `programs.ssh`: the ssh client of the whole system.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.programs.ssh;

  host = { name, ... }: {
    options = {
      hostNames = mkOption { type = types.listOf types.str; default = [ name ]; description = "All names and addresses of the host."; };
      extraHostNames = mkOption { type = types.listOf types.str; default = [ ]; description = "Further ones."; };
      certAuthority = mkOption { type = types.bool; default = false; description = "Whether the key signs other hosts' keys."; };
      publicKey = mkOption { type = types.nullOr types.str; default = null; example = "ssh-ed25519 AAAA…"; description = "The host's key."; };
      publicKeyFile = mkOption { type = types.nullOr types.path; default = null; description = "A file with it."; };
    };
  };
  keyOf = h: if h.publicKey != null then h.publicKey else builtins.readFile h.publicKeyFile;
  line = h: lib.optionalString h.certAuthority "@cert-authority "
    + lib.concatStringsSep "," (lib.unique (h.hostNames ++ h.extraHostNames)) + " " + lib.removeSuffix "\n" (keyOf h) + "\n";
in
{
  options.programs.ssh = {
    extraConfig = mkOption { type = types.lines; default = ""; example = "Host backup\n  Port 2222"; description = "Lines of ssh_config."; };
    knownHosts = mkOption { type = types.attrsOf (types.submodule host); default = { }; description = "Keys of hosts."; };
    startAgent = mkOption { type = types.bool; default = false; description = "Whether each user's manager runs an ssh agent."; };
    agentTimeout = mkOption { type = types.nullOr types.str; default = null; example = "1h"; description = "How long the agent keeps a key."; };
  };

  config = {
    environment.etc = lib.optionalAttrs (cfg.extraConfig != "") { "ssh/ssh_config.d/10-esker.conf".text = cfg.extraConfig; }
      // lib.optionalAttrs (cfg.knownHosts != { }) { "ssh/ssh_known_hosts".text = lib.concatMapStrings line (lib.attrValues cfg.knownHosts); };
    environment.systemPackages = lib.optional (cfg.extraConfig != "" || cfg.knownHosts != { } || cfg.startAgent) pkgs.openssh-client;
    systemd.user.services.ssh-agent = lib.mkIf cfg.startAgent {
      description = "SSH agent";
      wantedBy = [ "default.target" ];
      serviceConfig = {
        ExecStartPre = "/usr/bin/rm -f %t/ssh-agent";
        ExecStart = "/usr/bin/ssh-agent ${lib.optionalString (cfg.agentTimeout != null) "-t ${cfg.agentTimeout} "}-a %t/ssh-agent";
        SuccessExitStatus = 2;
        Type = "forking";
      };
      # Debian's own waits for X.
      overrideStrategy = "asDropinIfExists";
    };
    environment.extraInit = lib.mkIf cfg.startAgent ''
      if [ -z "''${SSH_AUTH_SOCK-}" ] && [ -n "''${XDG_RUNTIME_DIR-}" ]; then export SSH_AUTH_SOCK="$XDG_RUNTIME_DIR/ssh-agent"; fi
    '';
    assertions = map (h: {
      assertion = (h.publicKey == null) != (h.publicKeyFile == null);
      message = "programs.ssh.knownHosts: ${lib.concatStringsSep "," h.hostNames} needs either publicKey or publicKeyFile";
    }) (lib.attrValues cfg.knownHosts);
  };
}
