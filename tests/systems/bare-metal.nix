# A machine of which nothing is known but that it starts by UEFI: the kernel for any machine, with what real processors want.
{ lib, pkgs, ... }:

{
  networking.hostName = "any";
  boot.kernelPackages = pkgs.linuxPackages;
  boot.kernelParams = [ "console=tty0" "console=ttyS0" "systemd.show_status=true" ];
  boot.loader.timeout = 0;
  hardware.cpu.intel.updateMicrocode = true;
  hardware.cpu.amd.updateMicrocode = true;

  services.esker-agent.enable = true;
  users.users.root.initialPassword = "any";
}
