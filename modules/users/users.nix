# `users.*`: accounts. System accounts get their numbers from names (`builtins.__systemId`), so that adding a package
# renumbers nobody; people's numbers start at 1000 and stay as they were first given.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types mkIf mkMerge mkDefault;
  cfg = config.users;

  password = description: mkOption {
    type = types.nullOr types.str;
    default = null;
    inherit description;
  };

  range = kind: types.submodule {
    options = {
      "start${kind}" = mkOption { type = types.int; description = "The first id of the range."; };
      count = mkOption { type = types.int; default = 65536; description = "How many ids."; };
    };
  };

  userModule =
    { name, config, ... }:
    {
      options = {
        enable = mkOption { type = types.bool; default = true; description = "Whether the account exists."; };
        name = mkOption { type = types.passwdEntry types.str; default = name; description = "The login name."; };
        description = mkOption { type = types.passwdEntry types.str; default = ""; description = "The person's name."; };
        uid = mkOption {
          type = types.nullOr types.int;
          default = null;
          description = "The user's number. People get the next free one from 1000, system accounts one made from their name.";
        };
        isSystemUser = mkOption { type = types.bool; default = false; description = "Whether it is a service's account."; };
        isNormalUser = mkOption { type = types.bool; default = false; description = "Whether it is a person's account."; };
        group = mkOption { type = types.str; default = ""; description = "The primary group."; };
        extraGroups = mkOption { type = types.listOf types.str; default = [ ]; description = "Further groups."; };
        home = mkOption { type = types.passwdEntry types.path; default = "/var/empty"; description = "The home folder."; };
        homeMode = mkOption { type = types.strMatching "[0-7]{1,5}"; default = "700"; description = "The home folder's mode."; };
        pamMount = mkOption { type = types.attrsOf types.str; default = { }; internal = true; description = "Accepted for configurations that come from NixOS when it is empty."; };
        createHome = mkOption { type = types.bool; default = false; description = "Whether the home folder is made."; };
        shell = mkOption {
          type = types.nullOr (types.either types.shellPackage (types.passwdEntry types.path));
          default = "/usr/sbin/nologin";
          description = "The login shell.";
        };
        useDefaultShell = mkOption { type = types.bool; default = false; description = "Whether the shell is `users.defaultUserShell`."; };
        hashedPassword = password "The password's hash, as mkpasswd makes it. `!` locks the account.";
        hashedPasswordFile = password "A file on the machine that holds the password's hash.";
        password = password "The password itself. It is readable by everyone, in the store; for tests only.";
        initialHashedPassword = password "The hash of the password that the account starts with.";
        initialPassword = password "The password that the account starts with.";
        subUidRanges = mkOption { type = types.listOf (range "Uid"); default = [ ]; description = "Subordinate user ids."; };
        subGidRanges = mkOption { type = types.listOf (range "Gid"); default = [ ]; description = "Subordinate group ids."; };
        autoSubUidGidRange = mkOption { type = types.bool; default = false; description = "Whether subordinate ids are assigned."; };
        linger = mkOption { type = types.nullOr types.bool; default = false; description = "Whether the user's manager runs without a login; `null` leaves it to loginctl."; };
        ignoreShellProgramCheck = mkOption { type = types.bool; default = false; description = "Accepted for configurations that come from NixOS; a shell needs no module of its own here."; };
        expires = password "The day on which the account expires, as YYYY-MM-DD.";
        packages = mkOption { type = types.listOf types.package; default = [ ]; description = "Packages for this user; they join the system's /usr."; };
        openssh.authorizedKeys.keys = mkOption { type = types.listOf types.singleLineStr; default = [ ]; description = "Public keys that may log in."; };
        openssh.authorizedKeys.keyFiles = mkOption { type = types.listOf types.path; default = [ ]; description = "Files of such keys."; };
      };

      config = mkMerge [
        { shell = mkIf config.useDefaultShell (mkDefault cfg.defaultUserShell); }
        (mkIf config.isNormalUser {
          group = mkDefault "users";
          createHome = mkDefault true;
          home = mkDefault "/home/${config.name}";
          useDefaultShell = mkDefault true;
        })
      ];
    };

  groupModule =
    { name, ... }:
    {
      options = {
        name = mkOption { type = types.passwdEntry types.str; default = name; description = "The group's name."; };
        gid = mkOption { type = types.nullOr types.int; default = null; description = "The group's number."; };
        members = mkOption { type = types.listOf (types.passwdEntry types.str); default = [ ]; description = "Users in the group."; };
      };
    };

  enabled = lib.filter (u: u.enable) (lib.attrValues cfg.users);
  shellPath = shell: if shell == null then "/usr/sbin/nologin" else if lib.isDerivation shell then "/usr/bin/${lib.getName shell}" else toString shell;

  keysOf = u: u.openssh.authorizedKeys.keys ++ map builtins.readFile u.openssh.authorizedKeys.keyFiles;

  # People without a number get the first free one from 1000 when activation makes them, and keep it for ever.
  uidOf = u: if u.uid != null then u.uid else if u.isNormalUser then null else builtins.__systemId u.name;
  gidOf = g: if g.gid != null then g.gid else builtins.__systemId g.name;

  present = lib.filterAttrs (_: v: v != null);
  account = u: present {
    inherit (u) name group home createHome homeMode description hashedPassword hashedPasswordFile
      initialHashedPassword password initialPassword;
    uid = uidOf u;
    shell = shellPath u.shell;
    system = !u.isNormalUser;
    groups = u.extraGroups;
    inherit (u) expires subUidRanges subGidRanges autoSubUidGidRange;
  };

  # Numbers that were given to several.
  sharedIds = map (id: "uid ${id}") (lib.attrNames (lib.filterAttrs (_: all: lib.length all > 1) (
    lib.groupBy (u: toString u.uid) (lib.filter (u: u.uid != null) enabled)
  )));

  refusal = type: ''
    ${type} requisite pam_echo.so file=${pkgs.writeText "accounts-are-declared" ''
      The accounts of this machine are declared (users.mutableUsers = false): what is changed here would not last.
      Change users.users in the configuration and switch to it.
    ''}
    ${type} requisite pam_deny.so
    auth required pam_permit.so
    account required pam_permit.so
  '';

  canLogIn = u:
    u.enable && u.shell != "/usr/sbin/nologin"
    && (
      lib.any (p: p != null && p != "!" && p != "*") [ u.hashedPassword u.hashedPasswordFile u.password u.initialHashedPassword u.initialPassword ]
      || (config.services.openssh.enable && keysOf u != [ ])
    );
  isAdmin = u: u.name == "root" || (config.security.sudo.enable && lib.any (g: lib.elem g u.extraGroups) [ "sudo" "wheel" ]);
in
{
  options = {
    users.mutableUsers = mkOption {
      type = types.bool;
      default = true;
      description = "Whether accounts may be changed on the machine, by passwd or useradd; what is declared stays declared.";
    };
    users.users = mkOption {
      type = types.attrsOf (types.submodule userModule);
      default = { };
      description = "Accounts.";
    };
    users.groups = mkOption {
      type = types.attrsOf (types.submodule groupModule);
      default = { };
      description = "Groups.";
    };
    users.defaultUserShell = mkOption {
      type = types.either types.path types.shellPackage;
      default = "/bin/bash";
      description = "The login shell of people.";
    };
    users.motd = mkOption { type = types.nullOr types.lines; default = null; example = "Today is Sweetmorn."; description = "The message of the day, shown at login."; };
    users.motdFile = mkOption { type = types.nullOr types.path; default = null; description = "A file with it."; };
    users.enforceIdUniqueness = mkOption { type = types.bool; default = true; description = "Whether two accounts with one number are an error."; };
    users.allowNoPasswordLogin = mkOption {
      type = types.bool;
      default = false;
      description = "Whether a system that nobody can log in to is intended.";
    };
    users.build = mkOption {
      type = types.lazyAttrsOf types.raw;
      internal = true;
      default = { };
      description = "What is made of the accounts.";
    };
  };

  config = {
    users.users.root = {
      uid = 0;
      group = "root";
      home = "/root";
      description = "System administrator";
      shell = mkDefault cfg.defaultUserShell;
    };
    users.groups.root.gid = 0;
    users.groups.users.gid = 100;
    # NixOS's name for the group of those who may become root; Debian's is `sudo`.
    users.groups.wheel = { };

    users.build.accounts = {
      users = map account enabled;
      groups = map (g: present { inherit (g) name gid members; }) (lib.attrValues cfg.groups);
    };
    users.build.ids = {
      users = present (lib.listToAttrs (map (u: lib.nameValuePair u.name (uidOf u)) enabled));
      groups = lib.listToAttrs (map (g: lib.nameValuePair g.name (gidOf g)) (lib.attrValues cfg.groups));
    };

    environment.systemPackages = lib.concatMap (u: u.packages) enabled
      ++ lib.filter lib.isDerivation (map (u: u.shell) enabled);
    environment.shells = lib.filter lib.isDerivation (map (u: u.shell) enabled);

    environment.etc = lib.optionalAttrs (cfg.motd != null) { motd.text = cfg.motd; }
    // lib.optionalAttrs (cfg.motdFile != null) { motd.source = cfg.motdFile; }
    // lib.listToAttrs (
      map (u: lib.nameValuePair "ssh/authorized_keys.d/${u.name}" {
        text = lib.concatMapStrings (k: k + "\n") (keysOf u);
        mode = "0444";
      }) (lib.filter (u: keysOf u != [ ]) enabled)
    );

    # With declared accounts alone, changes would be gone with the next activation: the programs that make them say so.
    security.pam.services = lib.mkIf (!cfg.mutableUsers) (
      lib.genAttrs [ "passwd" "chpasswd" "newusers" ] (_: { text = refusal "password"; })
      // lib.genAttrs [ "chfn" "chsh" ] (_: { text = refusal "auth"; })
    );

    # /etc is made anew at each boot: what passwd and useradd change is copied to the state folder at once.
    systemd.paths.esker-accounts = mkIf cfg.mutableUsers {
      description = "Changes of accounts";
      wantedBy = [ "multi-user.target" ];
      pathConfig.PathChanged = [ "/etc/passwd" "/etc/shadow" "/etc/group" "/etc/gshadow" "/etc/subuid" "/etc/subgid" ];
    };
    systemd.services.esker-accounts = mkIf cfg.mutableUsers {
      description = "Keep changed accounts";
      serviceConfig.Type = "oneshot";
      serviceConfig.ExecStart = "/run/current-system/activate sync-accounts";
      restartIfChanged = false;
    };

    # /var stays: who no longer lingers has to be taken out.
    systemd.tmpfiles.rules = lib.optional (lib.any (u: u.linger == true) enabled) "d /var/lib/systemd/linger 0755 root root"
      ++ lib.concatMap (
        u: lib.optional (u.linger == true) "f /var/lib/systemd/linger/${u.name} 0644 root root"
          ++ lib.optional (u.linger == false && u.isNormalUser) "r /var/lib/systemd/linger/${u.name}"
      ) enabled;

    assertions = [
      {
        assertion = cfg.allowNoPasswordLogin || lib.any (u: canLogIn u && isAdmin u) enabled
          || config.services.getty.autologinUser != null;
        message = ''
          nobody could log in to this system and administer it: neither root nor a member of the group sudo or wheel has
          a password or, with services.openssh, a key. Set users.users.<name>.hashedPassword or
          users.users.<name>.openssh.authorizedKeys.keys, or users.allowNoPasswordLogin if that is intended'';
      }
      {
        assertion = !cfg.enforceIdUniqueness || sharedIds == [ ];
        message = "users.users: ${lib.concatStringsSep ", " sharedIds} belong to several accounts (users.enforceIdUniqueness)";
      }
      {
        assertion = lib.all (u: u.pamMount == { }) enabled;
        message = "users.users.<name>.pamMount is not supported; declare the mount in fileSystems or systemd.mounts";
      }
    ] ++ map (u: {
      assertion = u.isNormalUser != u.isSystemUser || u.name == "root";
      message = "users.users.${u.name}: exactly one of isNormalUser and isSystemUser must be set";
    }) enabled ++ map (u: {
      assertion = u.group != "";
      message = "users.users.${u.name}.group is not set";
    }) enabled;
  };
}
