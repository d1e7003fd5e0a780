# Options that no other story's system sets, as many as one machine can have at once. Two variants: `marked` is switched
# to while the machine runs (another kernel, another package), `roaming` is booted from the menu (that kernel,
# NetworkManager).
{ config, lib, pkgs, ... }:

{
  services.esker-agent.enable = true;
  networking.hostName = "options";

  boot = {
    kernelPackages = pkgs.linuxPackages_cloud;
    kernelParams = [ "console=tty0" "console=ttyS0" "systemd.show_status=true" ];
    kernelModules = [ "loop" ];
    extraModprobeConfig = "options loop max_loop=5";
    blacklistedKernelModules = [ "pcspkr" ];
    initrd.kernelModules = [ "nbd" ];
    kernel.sysctl = { "vm.swappiness" = 17; "kernel.sysrq" = null; };
    tmp.tmpfsSize = "30M";
    loader.timeout = 5;
    loader.efi.canTouchEfiVariables = true;
    loader.systemd-boot.configurationLimit = 2;
  };
  hardware.cpu.intel.updateMicrocode = true;
  hardware.cpu.amd.updateMicrocode = true;

  # The first disk is declared, and larger than its image. /dev/vdb is empty, another one carries a swap area with a label.
  disko.devices.disk.main = {
    device = "/dev/vda";
    content.type = "gpt";
    content.partitions = {
      ESP = { size = "256M"; type = "EF00"; content = { type = "filesystem"; format = "vfat"; mountpoint = "/boot"; mountOptions = [ "umask=0077" ]; }; };
      swap = { size = "64M"; content = { type = "swap"; priority = 3; }; };
      spare = { size = "32M"; content = { type = "filesystem"; format = "ext4"; mountpoint = "/spare"; extraArgs = [ "-L" "spare" ]; }; };
      nix = { size = "100%"; content = { type = "filesystem"; format = "ext4"; mountpoint = "/nix"; mountOptions = [ "noatime" ]; }; };
    };
  };
  boot.growPartition = true;
  fileSystems = {
    "/data" = { device = "/dev/vdb"; fsType = "ext4"; autoFormat = true; options = [ "noatime" "commit=30" ]; };
    "/srv/www" = { device = "/data/www"; fsType = "none"; options = [ "bind" "ro" ]; depends = [ "/data" ]; };
    "/scratch" = { device = "tmpfs"; fsType = "tmpfs"; options = [ "size=16M" "mode=1777" "nosuid" ]; };
  };
  swapDevices = [
    { device = "/var/swapfile"; size = 48; priority = 7; }
    { label = "swap"; options = [ "nofail" ]; discardPolicy = "once"; }
  ];
  networking = {
    usePredictableInterfaceNames = false;
    useDHCP = false;
    interfaces.eth0.ipv4 = {
      addresses = [ { address = "10.0.2.15"; prefixLength = 24; } { address = "10.0.2.99"; prefixLength = 24; } ];
      routes = [ { address = "10.99.0.0"; prefixLength = 16; via = "10.0.2.2"; options.metric = "42"; } ];
    };
    interfaces.eth0.mtu = 1400;
    defaultGateway = { address = "10.0.2.2"; interface = "eth0"; };
    nameservers = [ "10.0.2.3" "192.0.2.53" ];
    search = [ "home.arpa" ];
    timeServers = [ "ntp.home.arpa" ];
    bridges.br0.interfaces = [ "dummy0" ];
    interfaces.br0.ipv4.addresses = [ { address = "198.51.100.1"; prefixLength = 24; } ];
    vlans.vlan7 = { id = 7; interface = "dummy1"; };
    interfaces.vlan7.ipv4.addresses = [ { address = "198.51.101.1"; prefixLength = 24; } ];
    firewall = {
      allowedTCPPorts = [ 7001 ];
      allowedUDPPorts = [ 7002 ];
      allowedUDPPortRanges = [ { from = 7010; to = 7012; } ];
      extraInputRules = "ip saddr 192.0.2.2 tcp dport 7003 accept";
      interfaces.in0.allowedTCPPorts = [ 7005 ];
      pingLimit = "5/second burst 5 packets";
      filterForward = true;
    };
    nftables.tables.mine = { family = "inet"; content = "set known { type ipv4_addr; }"; };
    nat = {
      enable = true;
      externalInterface = "eth0";
      internalInterfaces = [ "br0" ];
      forwardPorts = [ { sourcePort = 8088; destination = "198.51.100.7:80"; } ];
    };
  };

  console.keyMap = "fr";
  i18n = {
    defaultLocale = "en_GB.UTF-8";
    extraLocaleSettings.LC_TIME = "nl_NL.UTF-8";
    supportedLocales = [ "en_GB.UTF-8/UTF-8" "nl_NL.UTF-8/UTF-8" "de_DE@euro/ISO-8859-15" ];
  };

  users.mutableUsers = false;
  users.motd = "All that can be set is set.";
  users.groups.makers = { gid = 1500; members = [ "bob" ]; };
  users.users = {
    # Their passwords are their names.
    alice = {
      isNormalUser = true;
      uid = 1100;
      description = "Alice Example";
      extraGroups = [ "makers" "wheel" ];
      hashedPassword = "$6$esker$kAmsRRte9ubXzu1GkB.s4zh5gf3C3SvFOsh3u7qOT6IFAkieul7QV3V3.bBDEYECK8tCFsuko3n5fAX4RV/yr.";
      shell = pkgs.zsh;
      homeMode = "750";
      linger = true;
      expires = "2099-12-31";
      subUidRanges = [ { startUid = 200000; count = 1000; } ];
      subGidRanges = [ { startGid = 300000; count = 2000; } ];
      packages = [ pkgs.tree ];
    };
    bob = {
      isNormalUser = true;
      hashedPassword = "$6$esker$zJkuwwLiqUUP9cyUEUzZMzETdZ127nPPuAta45wIWSDXxlHITw5lXAAe8nbqZI3WdnF0ZuWjoYOjWSCHLTXYG.";
      autoSubUidGidRange = true;
    };
    keeper = { isSystemUser = true; group = "keeper"; home = "/var/lib/keeper"; createHome = true; };
  };
  users.groups.keeper = { };

  security = {
    wrappers = {
      rootly = { owner = "root"; group = "root"; setuid = true; source = "/usr/bin/id"; };
      makerly = { owner = "root"; group = "makers"; setgid = true; source = "/usr/bin/id"; };
      reader = { owner = "root"; group = "makers"; permissions = "u+rx,g+x"; capabilities = "cap_dac_read_search+ep"; source = "/usr/bin/cat"; };
    };
    pam.loginLimits = [
      { domain = "alice"; type = "soft"; item = "nofile"; value = 4242; }
      { domain = "@makers"; type = "-"; item = "nproc"; value = "321"; }
    ];
    pam.services.special.rootOK = true;
    sudo.wheelNeedsPassword = true;
    sudo.extraRules = [
      { users = [ "bob" ]; runAs = "keeper"; commands = [ { command = "/usr/bin/id"; options = [ "NOPASSWD" ]; } ]; }
    ];
    sudo.extraConfig = "Defaults lecture=never";
  };

  systemd = {
    network.netdevs = lib.genAttrs [ "dummy0" "dummy1" ] (name: { netdevConfig = { Name = name; Kind = "dummy"; }; });
    services = {
      make-www = {
        description = "The folder that is bound to /srv/www";
        requiredBy = [ "srv-www.mount" ];
        before = [ "srv-www.mount" ];
        unitConfig.DefaultDependencies = false;
        unitConfig.RequiresMountsFor = "/data";
        serviceConfig.Type = "oneshot";
        script = "mkdir -p /data/www && echo served > /data/www/page";
      };
      ticked = { description = "Started by its timer"; serviceConfig.Type = "oneshot"; script = "date +%s >> /run/ticked"; };
      at-times = { description = "Started at times"; startAt = "hourly"; serviceConfig.Type = "oneshot"; script = "true"; };
      "echo@" = { description = "Answers one connection"; serviceConfig = { ExecStart = "/usr/bin/cat"; StandardInput = "socket"; }; };
      seen = { description = "Started when a file appears"; serviceConfig.Type = "oneshot"; script = "mv /run/appears /run/seen"; };
      grouped = {
        description = "Wanted by a target of one's own";
        wantedBy = [ "options.target" ];
        path = [ pkgs.tree ];
        environment.GREETING = "hello world";
        preStart = "echo pre > /run/grouped";
        script = ''echo "$GREETING $1" >> /run/grouped'';
        scriptArgs = "%n";
        postStart = "echo post >> /run/grouped";
        serviceConfig = { Type = "oneshot"; RemainAfterExit = true; };
      };
      # A package's unit of which only one thing changes.
      systemd-timesyncd.environment.SYSTEMD_LOG_LEVEL = "debug";
    };
    timers.ticked = { wantedBy = [ "timers.target" ]; timerConfig = { OnActiveSec = "1s"; AccuracySec = "1s"; }; };
    sockets.echo = { wantedBy = [ "sockets.target" ]; listenStreams = [ "/run/echo.socket" ]; socketConfig = { Accept = true; SocketMode = "0600"; }; };
    paths.seen = { wantedBy = [ "multi-user.target" ]; pathConfig.PathExists = "/run/appears"; };
    targets.options = { description = "A target of one's own"; wantedBy = [ "multi-user.target" ]; };
    mounts = [ { what = "tmpfs"; where = "/mnt/my-mount"; type = "tmpfs"; options = "size=4M"; wantedBy = [ "multi-user.target" ]; } ];
    automounts = [ { where = "/mnt/later"; wantedBy = [ "multi-user.target" ]; } ];
    units."mnt-later.mount".text = "[Mount]\nWhat=tmpfs\nWhere=/mnt/later\nType=tmpfs\n";
    slices.small = { description = "A slice"; sliceConfig.MemoryMax = "64M"; };
    tmpfiles.rules = [ "f /home/alice/.zshrc 0644 alice users" "d /run/ruled 0711 keeper makers" "L /run/linked - - - - /etc/hostname" ];
    tmpfiles.settings.more."/run/settled".f = { mode = "0640"; user = "alice"; group = "users"; argument = "content"; };
    user.services.greet = {
      description = "In each user's manager";
      wantedBy = [ "default.target" ];
      serviceConfig.Type = "oneshot";
      serviceConfig.RemainAfterExit = true;
      script = "id -un > $XDG_RUNTIME_DIR/greeted";
    };
    user.tmpfiles.rules = [ "d %h/made 0700" ];
    settings.Manager.DefaultTimeoutStopSec = "21s";
    suppressedSystemUnits = [ "systemd-pstore.service" ];
    globalEnvironment.EVERYWHERE = "yes";
  };

  environment = {
    systemPackages = with pkgs; [ bridge-utils socat acl ];
    etc."private.conf" = { text = "secret\n"; mode = "0640"; group = "makers"; };
    sessionVariables.SESSION = "set";
    shellAliases.hi = "echo hi there";
    persistence = {
      directories = lib.mkForce [ "/var" "/srv" "/opt" "/root" { path = "/keep"; mode = "0750"; user = "keeper"; group = "makers"; } ];
      files = [ { path = "/etc/kept-mode"; mode = "0640"; group = "makers"; } "/etc/kept-link" ];
      users.alice.directories = [ "Documents" { path = ".local/state/app"; mode = "0700"; } ];
      users.alice.files = [ ".netrc" ];
    };
  };

  services = {
    journald.settings.Journal.SystemMaxUse = "24M";
    journald.rateLimitBurst = 500;
    getty.autologinUser = "alice";
    getty.greetingLine = "This is the machine with all options.";
    timesyncd.fallbackServers = [ "fallback.home.arpa" ];
    logind.powerKey = "ignore";
    resolved.fallbackDns = [ "192.0.2.54" ];
    resolved.llmnr = "false";
    resolved.extraConfig = "DNSStubListenerExtra=127.0.0.9";
  };

  programs = {
    zsh = { enable = true; shellAliases.zhi = "echo zsh says hi"; promptInit = "PS1='%n@%m> '"; };
    bash.interactiveShellInit = "export INTERACTIVE=1";
    bash.completion.enable = true;
    vim = { enable = true; defaultEditor = true; extraConfig = "set shiftwidth=3"; };
    git = { enable = true; config = { init.defaultBranch = "trunk"; alias.co = "checkout"; }; lfs.enable = true; };
    tmux = { enable = true; baseIndex = 1; };
    ssh.knownHosts."example.org".publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEsker";
    nano.nanorc = "set tabsize 3";
  };

  esker.gc = { automatic = true; options = "--keep 1"; };

  specialisation.marked.configuration = {
    boot.kernelPackages = lib.mkForce pkgs.linuxPackages;
    environment.etc."marked".text = "marked\n";
    environment.systemPackages = [ pkgs.tcpdump pkgs.uuid-runtime ];
    environment.persistence.directories = lib.mkForce [ "/added" ];
    security.wrappers.rootly.enable = false;
    systemd.services.systemd-timesyncd.environment.SYSTEMD_LOG_LEVEL = lib.mkForce "info";
  };
  specialisation.roaming.configuration = {
    boot.kernelPackages = lib.mkForce pkgs.linuxPackages;
    networking.interfaces = lib.mkForce { };
    networking.bridges = lib.mkForce { };
    networking.vlans = lib.mkForce { };
    networking.defaultGateway = lib.mkForce null;
    networking.networkmanager = {
      enable = true;
      unmanaged = [ "interface-name:dummy*" ];
      ensureProfiles.profiles.wired = {
        connection = { id = "wired"; type = "ethernet"; };
        ipv4.method = "auto";
      };
    };
  };

  system.stateVersion = "0.1";
}
