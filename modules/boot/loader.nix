# The boot loader: systemd-boot, one entry per generation.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.boot.loader;
in
{
  options.boot.loader = {
    timeout = mkOption {
      type = types.nullOr types.int;
      default = 5;
      description = "Seconds until the default entry boots; `null` waits for a choice.";
    };
    efi = {
      canTouchEfiVariables = mkOption {
        type = types.bool;
        default = false;
        description = "Whether the installer may add a boot entry to the firmware.";
      };
      efiSysMountPoint = mkOption {
        type = types.str;
        default = "/boot";
        description = "Where the EFI system partition is mounted.";
      };
    };
    systemd-boot = {
      enable = mkOption {
        type = types.bool;
        default = true;
        description = "Whether a switch writes boot entries for systemd-boot. Without it the machine is started by whatever else starts it, such as `esker vm`; images have it in any case.";
      };
      configurationLimit = mkOption {
        type = types.nullOr types.ints.positive;
        default = null;
        example = 10;
        description = "How many generations stay in the menu; `null` keeps all.";
      };
      editor = mkOption {
        type = types.bool;
        default = true;
        description = "Whether the kernel's command line may be edited in the menu. Whoever can do so becomes root.";
      };
      consoleMode = mkOption {
        type = types.enum [ "0" "1" "2" "5" "auto" "max" "keep" ];
        default = "keep";
        description = "The resolution of the menu.";
      };
    };
    grub.enable = mkOption {
      type = types.bool;
      default = false;
      description = "Accepted for configurations that come from NixOS; Esker boots by systemd-boot only.";
    };
  };

  config.assertions = [
    {
      assertion = !cfg.grub.enable;
      message = "boot.loader.grub.enable: Esker has no GRUB; use boot.loader.systemd-boot.enable";
    }
  ];
}
