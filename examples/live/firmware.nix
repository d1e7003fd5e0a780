# The same stick for machines whose network cards, radios and graphics want firmware, and with microcode for their
# processors: `esker image examples/live/firmware.nix --format iso`. More than twice as large.
{ lib, pkgs, ... }:

{
  imports = [ ./configuration.nix ];

  hardware.enableRedistributableFirmware = true;
  hardware.cpu = lib.mkIf (pkgs.system == "x86_64-linux") {
    intel.updateMicrocode = true;
    amd.updateMicrocode = true;
  };
}
