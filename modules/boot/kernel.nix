# The kernel: which one, its parameters, its modules and its sysctls.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.boot;

  named = name: if (pkgs.${name} or { }) ? kernel then pkgs.${name} else throw "boot.kernelPackages: there is no kernel `${name}`; `linuxPackages` and `linuxPackages_cloud` are";

  sysctlValue = types.nullOr (types.oneOf [ types.bool types.int types.str ]);
  showValue = v: if v == true then "1" else if v == false then "0" else toString v;
in
{
  options.boot = {
    kernelPackages = mkOption {
      # TOML has no `pkgs`.
      type = types.coercedTo types.str named types.raw;
      default = pkgs.linuxPackages;
      defaultText = lib.literalExpression "pkgs.linuxPackages";
      example = lib.literalExpression "pkgs.linuxPackages_cloud";
      description = "The kernel: `pkgs.linuxPackages` for any machine, `pkgs.linuxPackages_cloud` for virtual ones. A string names one of `pkgs`.";
    };
    kernelParams = mkOption {
      type = types.listOf (types.strMatching ''([^"[:space:]]|"[^"]*")+'');
      default = [ ];
      example = [ "console=ttyS0" ];
      description = "Parameters on the kernel's command line.";
    };
    kernelModules = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "Modules to load in the second stage, beside those that udev loads for the hardware.";
    };
    blacklistedKernelModules = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "Modules that are not loaded for hardware that asks for them.";
    };
    extraModprobeConfig = mkOption {
      type = types.lines;
      default = "";
      example = "options kvm_intel nested=1";
      description = "Lines for modprobe.d.";
    };
    consoleLogLevel = mkOption {
      type = types.int;
      default = 4;
      description = "Kernel messages of a level below this one appear on the console.";
    };
    kernel.sysctl = mkOption {
      type = types.attrsOf sysctlValue;
      default = { };
      example = { "net.ipv4.ip_forward" = 1; };
      description = "Runtime parameters of the kernel. `null` leaves one out.";
    };
  };

  config = {
    boot.kernelParams = [ "loglevel=${toString cfg.consoleLogLevel}" ];

    system.build.kernelModules = cfg.kernelPackages.modules;

    environment.etc = {
      "modules-load.d/nixos.conf".text = lib.concatMapStrings (m: "${m}\n") cfg.kernelModules;
      "modprobe.d/nixos.conf".text = lib.concatMapStrings (m: "blacklist ${m}\n") cfg.blacklistedKernelModules
        + cfg.extraModprobeConfig;
      "sysctl.d/60-nixos.conf".text = lib.concatStrings (
        lib.mapAttrsToList (n: v: "${n}=${showValue v}\n") (lib.filterAttrs (_: v: v != null) cfg.kernel.sysctl)
      );
    };
  };
}
