# A hardened web server: nginx behind a firewall, ssh by key only, and the tools to work on it.
#
#     esker vm examples/server
#
# boots it in QEMU. Log in on the console as `admin`, password `esker`.
{ config, lib, pkgs, ... }:

let
  # What virtual machines and most boards call their first serial port.
  serial = if pkgs.stdenv.hostPlatform.isAarch64 then "ttyAMA0" else "ttyS0";
in
{
  networking = {
    hostName = "server";
    domain = "example.org";
    hosts."10.0.2.2" = [ "host.internal" ];
    firewall.allowedTCPPorts = [ 80 ];
  };

  time.timeZone = "Europe/Amsterdam";
  i18n.defaultLocale = "en_US.UTF-8";
  i18n.supportedLocales = [ "en_US.UTF-8/UTF-8" "nl_NL.UTF-8/UTF-8" ];

  boot = {
    kernelPackages = pkgs.linuxPackages_cloud;
    kernelParams = [ "console=tty0" "console=${serial}" "quiet" ];
    kernel.sysctl = {
      "kernel.kptr_restrict" = 2;
      "net.ipv4.conf.all.rp_filter" = 1;
      "net.ipv4.tcp_syncookies" = true;
    };
    loader.timeout = 3;
    loader.systemd-boot = {
      configurationLimit = 10;
      # Whoever edits the kernel's command line becomes root.
      editor = false;
    };
  };

  users.users.admin = {
    isNormalUser = true;
    description = "Administrator";
    extraGroups = [ "sudo" "adm" ];
    initialPassword = "esker";
    openssh.authorizedKeys.keyFiles = [ ./admin.pub ];
  };

  environment = {
    systemPackages = with pkgs; [ curl git htop python3 perl vim ];
    variables.EDITOR = "vim";
    shellAliases.ll = "ls -l";
    etc."motd".text = "This server is declared, not configured.\n";
  };

  services.openssh = {
    enable = true;
    ports = [ 2222 ];
    settings = {
      PasswordAuthentication = false;
      KbdInteractiveAuthentication = false;
      PermitRootLogin = "no";
    };
  };

  services.nginx = {
    enable = true;
    recommendedOptimisation = true;
    recommendedGzipSettings = true;
    virtualHosts."example.org" = {
      default = true;
      root = ./www;
      locations."/health".return = "200 'ok'";
    };
  };

  systemd.services.hello = {
    description = "Says hello once";
    wantedBy = [ "multi-user.target" ];
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
      DynamicUser = true;
    };
    script = "echo hello from ${config.networking.hostName}";
  };

  systemd.tmpfiles.rules = [ "d /srv/data 0750 admin users" ];

  esker.gc = {
    automatic = true;
    dates = "weekly";
    options = "--delete-older-than 30d";
  };

  specialisation.debug.configuration.boot.kernelParams = [ "systemd.log_level=debug" ];

  system.stateVersion = "0.1";
}
