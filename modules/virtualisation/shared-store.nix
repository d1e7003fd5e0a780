# A virtual machine that shares the store of the host that runs it: no image is made, and nothing is copied. Its own disk
# holds what it adds to the store, and its state. The kernel is started by the host; there is no boot loader.
#
# No option says this of a configuration: only `system.build.vm` has it. How stage 1 puts the store together is in
# initrd/src/stage1/shared_store.rs; what the machine is made of, in crates/esker/src/boot_source.rs.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.virtualisation;
  console = { x86_64-linux = "ttyS0"; aarch64-linux = "ttyAMA0"; }.${pkgs.system};
in
{
  # Only a variant has these: elsewhere they are set in `virtualisation.vmVariant`.
  options.virtualisation = {
    memorySize = mkOption { type = types.ints.between 256 (1024 * 1024); default = 1024; description = "The machine's memory, in MiB."; };
    cores = mkOption { type = types.ints.between 1 255; default = 2; description = "The machine's processors."; };
    diskSize = mkOption { type = types.ints.between 256 (16 * 1024 * 1024); default = 16 * 1024; description = "How large the disk of the machine's state may become, in MiB. One that is there stays as it is."; };
    graphics = mkOption { type = types.bool; default = false; description = "Whether the machine's screen is shown in a window, beside the serial console on the terminal."; };
    forwardPorts = mkOption {
      default = [ ];
      example = [ { host.port = 8080; guest.port = 80; } ];
      description = "Ports of the host that lead to the machine's.";
      type = types.listOf (types.submodule {
        options = {
          from = mkOption { type = types.enum [ "host" ]; default = "host"; description = "Who connects."; };
          proto = mkOption { type = types.enum [ "tcp" ]; default = "tcp"; description = "The protocol."; };
          host.port = mkOption { type = types.port; description = "The host's port, on its loopback address."; };
          guest.port = mkOption { type = types.port; description = "The machine's port."; };
        };
      });
    };
  };

  config = {
    # What the configuration says of a machine's own disks is of another machine.
    fileSystems = lib.mkVMOverride {
      "/" = { device = "tmpfs"; fsType = "tmpfs"; options = [ "mode=755" "size=50%" ]; };
      "/nix" = { device = "LABEL=esker-state"; fsType = "ext4"; options = [ "noatime" ]; };
      "/nix/.ro-store" = { device = "esker-store"; fsType = "virtiofs"; options = [ "ro" ]; neededForBoot = true; };
    };
    swapDevices = lib.mkVMOverride [ ];
    disko.devices.disk = lib.mkVMOverride { };
    boot.growPartition = lib.mkVMOverride false;
    environment.persistence.enable = lib.mkVMOverride true;

    boot.loader.systemd-boot.enable = lib.mkVMOverride false;
    boot.loader.efi.canTouchEfiVariables = lib.mkVMOverride false;
    # The last one is /dev/console: the terminal of whoever runs the machine.
    boot.kernelParams = lib.mkAfter [ "console=tty0" "console=${console}" ];
    # A filesystem without a block device is not waited for, so its bus must be there.
    boot.initrd.kernelModules = [ "virtio_pci" ];
    system.build.storeKind = "shared";
    system.build.virtualMachine = {
      inherit (cfg) cores graphics;
      memoryMib = cfg.memorySize;
      diskMib = cfg.diskSize;
      forwardPorts = map (p: { host = p.host.port; guest = p.guest.port; }) cfg.forwardPorts;
    };

    # The store's database is on the machine's disk and knows nothing of what the host has built since.
    systemd.services.esker-shared-store = {
      description = "Register what the host's store has of this system";
      wantedBy = [ "multi-user.target" ];
      # The first prompt does not wait for it.
      after = [ "getty.target" ];
      unitConfig.ConditionKernelCommandLine = "esker.registration";
      # It is about the system that was booted.
      restartIfChanged = false;
      stopIfChanged = false;
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = "/run/current-system/runtime/bin/esker register-shared-store";
      };
    };
  };
}
