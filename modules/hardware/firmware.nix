# `hardware.*`: firmware and microcode.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.hardware;
  free = [ "firmware-linux-free" ];
  # What Debian may pass on for machines of this architecture; one that the archive drops is an error here, not silence.
  redistributable = [
    "bluez-firmware" "firmware-amd-graphics" "firmware-ath9k-htc" "firmware-atheros" "firmware-bnx2" "firmware-bnx2x"
    "firmware-brcm80211" "firmware-carl9170" "firmware-cirrus" "firmware-intel-graphics" "firmware-intel-misc"
    "firmware-intel-sound" "firmware-iwlwifi" "firmware-libertas" "firmware-linux-free" "firmware-marvell-prestera"
    "firmware-mediatek" "firmware-misc-nonfree" "firmware-myricom" "firmware-netronome" "firmware-netxen"
    "firmware-nvidia-graphics" "firmware-qcom-soc" "firmware-qlogic" "firmware-realtek" "firmware-siano"
    "firmware-sof-signed" "firmware-ti-connectivity" "wireless-regdb"
  ];

  # The kernel reads microcode from an uncompressed archive in front of the initrd, before anything else runs: all files
  # of the vendor, one after the other.
  microcode = vendor: package: files: pkgs.runInView "microcode-${vendor}" {
    packages = [ pkgs.cpio pkgs.coreutils pkgs.dash ];
    inherit vendor files;
    microcode = package;
    script = builtins.readFile ./microcode.sh;
  };
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
    wirelessRegulatoryDatabase = mkOption {
      type = types.bool;
      default = false;
      description = "Whether the kernel knows where which radio channels may be used.";
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
      lib.optionals (cfg.enableRedistributableFirmware || cfg.enableAllFirmware) redistributable
      ++ lib.optional cfg.wirelessRegulatoryDatabase "wireless-regdb"
    );

    # Without the package of another architecture, so that what is wrong is said once, by the assertion.
    boot.initrd.prepend = lib.optionals (pkgs.system == "x86_64-linux") (
      lib.optional cfg.cpu.intel.updateMicrocode (microcode "GenuineIntel" pkgs.intel-microcode "usr/lib/firmware/intel-ucode/*")
      ++ lib.optional cfg.cpu.amd.updateMicrocode (microcode "AuthenticAMD" pkgs.amd64-microcode "usr/lib/firmware/amd-ucode/microcode_amd*.bin")
    );

    assertions = [ {
      assertion = pkgs.system == "x86_64-linux" || !(cfg.cpu.intel.updateMicrocode || cfg.cpu.amd.updateMicrocode);
      message = "hardware.cpu: processors of ${pkgs.system} take no microcode from the system\nhint: set `updateMicrocode` for x86_64 only";
    } ];

    # Firmware stands in /usr/lib/firmware, where the kernel looks, as part of the view.
    environment.systemPackages = cfg.firmware;
    hardware.firmwareTree = pkgs.mkTree "firmware" { "lib/firmware".link = "/usr/lib/firmware"; };
  };
}
