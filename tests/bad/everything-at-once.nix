# Mistakes of every kind are reported in one run.
{ lib, pkgs, ... }:

{
  imports = [ ./parts/bootable.nix ./parts/other-host.nix ];

  networking.hostNam = "web";
  networking.hostName = "web";
  services.opensh.enable = true;
  services.openssh.ports = "22";
  services.nginx.virtualHosts."example.org".rot = "/srv";
  users.users.ada = { isNormalUser = true; shel = "/bin/sh"; };
  environment.systemPackages = [ pkgs.vmi pkgs.git pkgs.ngnix ];
  systemd.services.web.serviceConfg.User = "ada";

  assertions = [
    { assertion = false; message = "the first thing that must hold"; }
    { assertion = 1 > 2; message = "the second thing that must hold"; }
  ];
}
