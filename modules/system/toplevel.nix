# The toplevel: the one path that a generation is. Everything a machine runs is reachable from it.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  inherit (pkgs) system;
  out = placeholder "out";

  failed = map (a: a.message) (lib.filter (a: !a.assertion) config.assertions);

  kernelParams = config.boot.kernelParams;
  efiPrograms = "${pkgs.systemd-boot-efi}/usr/lib/systemd/boot/efi";
  machine = { x86_64-linux = "x64"; aarch64-linux = "aa64"; }.${system};

  # bootspec v1 of this system, whose own path is TOP.
  bootspecFor = top: {
    "org.nixos.bootspec.v1" = {
      inherit system kernelParams;
      label = "Esker ${lib.concatStringsSep "-" (config.system.nixos.tags ++ [ config.system.nixos.label ])} (Linux ${config.boot.kernelPackages.kernel.modDirVersion})";
      init = "${top}/init";
      kernel = config.boot.kernelPackages.kernel.file;
      initrd = "${config.system.build.initrd}/initrd";
      toplevel = top;
    };
    "org.nixos.specialisation.v1" = lib.mapAttrs (
      _: s: s.configuration.system.build.bootspecFor "${s.configuration.system.build.toplevel}"
    ) config.specialisation;
    "org.esker.v1" = {
      inherit (config.boot.loader) timeout;
      inherit (config.boot.loader.systemd-boot) enable configurationLimit editor consoleMode;
      inherit (config.boot.loader.efi) canTouchEfiVariables efiSysMountPoint;
      hostName = config.networking.hostName;
      systemdBoot = "${efiPrograms}/systemd-boot${machine}.efi";
      systemdStub = "${efiPrograms}/linux${machine}.efi.stub";
      # Null for a system that does not run from a medium.
      volumeLabel = if config.image.live.fromMedium then config.isoImage.volumeID else null;
    };
  };

  toplevel = pkgs.mkTree "esker-system-${config.system.name}-${config.system.nixos.label}" ({
    "activate".link = "${pkgs.runtime}/bin/activate";
    "dry-activate".link = "${pkgs.runtime}/bin/activate";
    "init".link = "${pkgs.runtime}/bin/activate";
    "activation.json".text = builtins.toJSON config.system.build.activation;
    "bin/switch-to-configuration".link = "${pkgs.runtime}/bin/esker";
    "etc".link = "${config.system.build.etc}/etc";
    "extra-dependencies".text = lib.concatMapStrings (p: "${p}\n") config.system.extraDependencies;
    "init-interface-version".text = "esker-1\n";
    "nixos-version".text = config.system.nixos.version + "\n";
    "runtime".link = "${pkgs.runtime}";
    # What the machine builds its next generation with.
    "share".link = "${pkgs.share}";
    "specialisation".directory = true;
    "sw".link = "${config.system.build.sw}";
    "system".text = system + "\n";
    "systemd".link = "/usr/lib/systemd";
  } // lib.optionalAttrs (!config.boot.isContainer) {
    "boot.json".text = builtins.toJSON (bootspecFor out);
    "firmware".link = "${config.hardware.firmwareTree}";
    "initrd".link = "${config.system.build.initrd}/initrd";
    "kernel".link = config.boot.kernelPackages.kernel.file;
    "kernel-modules".link = "${config.system.build.kernelModules}";
    "kernel-params".text = lib.concatStringsSep " " kernelParams + "\n";
  } // lib.optionalAttrs (config.system.build ? virtualMachine) {
    # What `esker vm` makes the machine of, where the command line says nothing.
    "vm.json".text = builtins.toJSON config.system.build.virtualMachine;
  } // lib.optionalAttrs (config.disko.devices.disk != { }) {
    # What an image of the system is partitioned like.
    "disk-layout.json".text = builtins.toJSON config.system.build.diskLayout;
  } // lib.mapAttrs' (
    name: s: lib.nameValuePair "specialisation/${name}" { link = "${s.configuration.system.build.toplevel}"; }
  ) config.specialisation);
in
{
  options.system = {
    extraDependencies = mkOption {
      type = types.listOf types.path;
      default = [ ];
      description = "Paths that the system keeps alive without using them.";
    };
  };

  config.system.build.bootspecFor = bootspecFor;

  config.system.build.toplevel =
    if failed != [ ] then
      throw "failed assertions:\n${lib.concatMapStringsSep "\n" (m: "- ${m}") failed}"
    else
      toplevel;
}
