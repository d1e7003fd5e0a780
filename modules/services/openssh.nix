# `services.openssh`: Debian's sshd with NixOS's options.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types mkIf;
  cfg = config.services.openssh;
  atom = types.nullOr (types.oneOf [ types.bool types.int types.str (types.listOf types.str) ]);
  show = v: if v == true then "yes" else if v == false then "no" else if lib.isList v then lib.concatStringsSep "," v else toString v;
  # /etc is made anew at each boot: keys that are declared there are kept in the state folder.
  stateOf = path: lib.replaceStrings [ "/etc/ssh/" ] [ "${config.environment.persistence.directory}/etc/ssh/" ] (toString path);
  keygen = k: ''
    if [ ! -s ${stateOf k.path} ]; then
      mkdir -p ${dirOf (stateOf k.path)}
      ssh-keygen -q -t ${k.type}${lib.optionalString (k.bits != null) " -b ${toString k.bits}"} -N "" \
        -C "${if k.comment == null then "" else k.comment}" -f ${stateOf k.path}
      sync -f ${stateOf k.path}
    fi
  '';
  # Keys whose values are lists of words, not of commas.
  words = [ "AllowUsers" "DenyUsers" "AllowGroups" "DenyGroups" "AcceptEnv" "AuthorizedKeysFile" ];
  showFor = name: v: if lib.isList v && lib.elem name words then lib.concatStringsSep " " v else show v;
  settingsText = lib.concatStrings (
    lib.mapAttrsToList (n: v: "${n} ${showFor n v}\n") (lib.filterAttrs (_: v: v != null) cfg.settings)
  );
  listen = lib.concatMapStrings (
    l: "ListenAddress ${l.addr}${lib.optionalString (l.port != null) ":${toString l.port}"}\n"
  ) cfg.listenAddresses;
in
{
  options.services.openssh = {
    enable = mkOption { type = types.bool; default = false; description = "Whether sshd runs."; };
    ports = mkOption { type = types.listOf types.port; default = [ 22 ]; description = "The ports it listens on."; };
    openFirewall = mkOption { type = types.bool; default = true; description = "Whether the firewall lets connections to them through."; };
    listenAddresses = mkOption {
      default = [ ];
      description = "The addresses it listens on; all where none is given.";
      type = types.listOf (types.submodule {
        options = {
          addr = mkOption { type = types.str; description = "The address."; };
          port = mkOption { type = types.nullOr types.port; default = null; description = "The port."; };
        };
      });
    };
    hostKeys = mkOption {
      default = [ { type = "ed25519"; path = "/etc/ssh/ssh_host_ed25519_key"; } ];
      example = [ { type = "rsa"; bits = 4096; path = "/etc/ssh/ssh_host_rsa_key"; } ];
      description = "The machine's keys, made at the first start. RSA keys take long to make on slow machines and are not made by default.";
      type = types.listOf (types.submodule {
        options = {
          type = mkOption { type = types.enum [ "ed25519" "rsa" "ecdsa" ]; description = "The kind of key."; };
          path = mkOption { type = types.path; description = "The file of the private key."; };
          bits = mkOption { type = types.nullOr types.int; default = null; description = "The key's length."; };
          comment = mkOption { type = types.nullOr types.str; default = null; description = "The key's comment."; };
        };
      });
    };
    settings = mkOption {
      description = "Settings of sshd_config(5).";
      default = { };
      type = types.submodule {
        freeformType = types.attrsOf atom;
        options = {
          PasswordAuthentication = mkOption { type = types.nullOr types.bool; default = true; description = "Whether passwords are accepted."; };
          KbdInteractiveAuthentication = mkOption { type = types.nullOr types.bool; default = true; description = "Whether PAM may ask for more."; };
          PermitRootLogin = mkOption { type = types.nullOr (types.enum [ "yes" "without-password" "prohibit-password" "forced-commands-only" "no" ]); default = "prohibit-password"; description = "Whether root may log in."; };
          X11Forwarding = mkOption { type = types.nullOr types.bool; default = false; description = "Whether X11 is forwarded."; };
          UsePAM = mkOption { type = types.nullOr types.bool; default = true; description = "Whether PAM is used."; };
          LogLevel = mkOption { type = types.nullOr types.str; default = "INFO"; description = "How much is logged."; };
        };
      };
    };
    authorizedKeysFiles = mkOption { type = types.listOf types.str; default = [ ]; description = "Files in which the keys of users are."; };
    extraConfig = mkOption { type = types.lines; default = ""; description = "More lines of sshd_config."; };
    startWhenNeeded = mkOption { type = types.bool; default = false; description = "Whether a socket starts it."; };
  };

  config = mkIf cfg.enable {
    environment.systemPackages = [ pkgs.openssh-server pkgs.openssh-client pkgs.openssh-sftp-server ];
    networking.firewall.allowedTCPPorts = lib.optionals cfg.openFirewall cfg.ports;
    services.openssh.authorizedKeysFiles = [ "%h/.ssh/authorized_keys" "/etc/ssh/authorized_keys.d/%u" ];

    environment.etc."ssh/sshd_config".text = ''
      # Made from services.openssh.
      ${lib.concatMapStrings (p: "Port ${toString p}\n") cfg.ports}
      ${listen}
      ${lib.concatMapStrings (k: "HostKey ${stateOf k.path}\n") cfg.hostKeys}
      AuthorizedKeysFile ${lib.concatStringsSep " " cfg.authorizedKeysFiles}
      Subsystem sftp /usr/lib/openssh/sftp-server
      PrintMotd no
      ${settingsText}
      ${cfg.extraConfig}
    '';

    # Debian's unit is ssh.service; NixOS's name is its alias, which enabling it makes.
    systemd.enabledPackageUnits = [ (if cfg.startWhenNeeded then "ssh.socket" else "ssh.service") ];
    systemd.services.ssh = {
      overrideStrategy = "asDropin";
      requires = [ "esker-sshd-keygen.service" ];
      after = [ "esker-sshd-keygen.service" ];
      # sshd reads its configuration from /etc, whose text the unit does not show.
      restartTriggers = [ config.environment.etc."ssh/sshd_config".text ];
      stopIfChanged = false;
    };
    systemd.services.esker-sshd-keygen = {
      description = "Keys of this machine for ssh";
      before = [ "ssh.service" ];
      unitConfig.ConditionPathExistsGlob = map (k: "|!${stateOf k.path}") cfg.hostKeys;
      serviceConfig.Type = "oneshot";
      script = lib.concatMapStrings keygen cfg.hostKeys;
    };
    # The packages' own key generator would make RSA keys into a tmpfs.
    systemd.suppressedSystemUnits = [ "sshd-keygen.service" ];
  };
}
