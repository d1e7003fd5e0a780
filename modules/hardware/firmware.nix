# `hardware.*`: firmware and microcode.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.hardware;
  free = [ "firmware-linux-free" ];
  redistributable = [
    "firmware-amd-graphics" "firmware-atheros" "firmware-brcm80211" "firmware-intel-graphics" "firmware-intel-misc"
    "firmware-iwlwifi" "firmware-linux-free" "firmware-mediatek" "firmware-misc-nonfree" "firmware-realtek"
  ];
in
{
  options.hardware = {
    enableRedistributableFirmware = mkOption {
      type = types.bool;
      default = false;
      description = "Whether firmware that may be passed on is installed, from Debian's non-free-firmware.";
    };
    enableAllFirmware = mkOption {
      type = types.bool;
      default = false;
      description = "The same; Debian ships nothing beyond it.";
    };
    firmware = mkOption {
      type = types.listOf types.package;
      default = [ ];
      description = "Packages with firmware.";
    };
    cpu.intel.updateMicrocode = mkOption {
      type = types.bool;
      default = false;
      description = "Whether Intel processors get their microcode.";
    };
    cpu.amd.updateMicrocode = mkOption {
      type = types.bool;
      default = false;
      description = "Whether AMD processors get their microcode.";
    };
    firmwareTree = mkOption {
      type = types.path;
      internal = true;
      description = "The firmware as one tree.";
    };
  };

  config = {
    hardware.firmware = map (n: pkgs.${n}) (
      lib.optionals (cfg.enableRedistributableFirmware || cfg.enableAllFirmware) (lib.filter (n: pkgs ? ${n}) redistributable)
    )
      ++ lib.optional cfg.cpu.intel.updateMicrocode pkgs.intel-microcode
      ++ lib.optional cfg.cpu.amd.updateMicrocode pkgs.amd64-microcode;

    # Firmware stands in /usr/lib/firmware, where the kernel looks, as part of the view.
    environment.systemPackages = cfg.firmware;
    hardware.firmwareTree = pkgs.mkTree "firmware" { "lib/firmware".link = "/usr/lib/firmware"; };
  };
}
