# What a boot need not run: generators of units that a declared system never has, and services that can tell from a file
# or the kernel's command line that they have nothing to do. Each process that is spared is some milliseconds of a boot.
{ lib, config, ... }:

let
  off = lib.mkDefault "/dev/null";
  # Where a machine is given credentials: systemd.system-credentials(7).
  credentials = [ "/run/credentials/@system" "/run/credentials/@encrypted" "/etc/credstore" "/etc/credstore.encrypted" "/run/credstore" ];
  anyCredential = map (directory: "|${directory}") credentials;
  # The arguments that systemd-network-generator reads.
  networkArguments = [ "ifname" "ip" "nameserver" "net.ifname_policy" "rd.peerdns" "rd.route" "vlan" "bond" "bridge" "team" "bootdev" ];
in
{
  systemd.generators = {
    # Opens sockets for ssh that nobody declared, and fails where a virtual machine has no AF_VSOCK.
    systemd-ssh-generator = off;
    # Filesystems and swap are declared; it would look for others on the disk of the ESP.
    systemd-gpt-auto-generator = off;
    # /etc/rc.local has no place in a declared system, nor have updates in /system-update.
    systemd-rc-local-generator = off;
    systemd-system-update-generator = off;
    # Stage 1 is where a machine would resume.
    systemd-hibernate-resume-generator = off;
  };

  # They are loaded by the time that systemd asks for them.
  boot.initrd.kernelModules = [ "configfs" "efi_pstore" ];

  systemd.services = {
    "modprobe@".unitConfig.ConditionPathExists = "!/sys/module/%i";
    systemd-udev-load-credentials.unitConfig.ConditionDirectoryNotEmpty = anyCredential;
    systemd-network-generator.unitConfig = {
      ConditionDirectoryNotEmpty = anyCredential;
      ConditionKernelCommandLine = map (argument: "|${argument}") networkArguments;
    };
  };
}
