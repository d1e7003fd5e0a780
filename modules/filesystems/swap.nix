# `swapDevices`.
{ lib, ... }:

let
  inherit (lib) mkOption types;
in
{
  options.swapDevices = mkOption {
    default = [ ];
    example = [ { device = "/dev/disk/by-label/swap"; } ];
    description = "Swap partitions and files.";
    type = types.listOf (types.submodule ({ config, ... }: {
      options = {
        device = mkOption { type = types.nonEmptyStr; description = "The device or file."; };
        label = mkOption { type = types.nullOr types.str; default = null; description = "The swap area's label, instead of a device."; };
        priority = mkOption { type = types.nullOr types.int; default = null; description = "Areas of a higher priority are used first."; };
        discardPolicy = mkOption { type = types.nullOr (types.enum [ "once" "pages" "both" ]); default = null; description = "When freed pages are discarded."; };
        options = mkOption { type = types.listOf types.nonEmptyStr; default = [ "defaults" ]; description = "Mount options."; };
      };
      config = {
        device = lib.mkIf (config.label != null) "LABEL=${config.label}";
        options = lib.mkIf (config.priority != null) [ "pri=${toString config.priority}" ];
      };
    }));
  };
}
