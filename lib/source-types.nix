# Kinds of provenance for `meta.sourceProvenance`.
#
# What it is not: a policy about which kinds are admitted.
{ ... }:
builtins.mapAttrs (shortName: isSource: { inherit shortName isSource; }) {
  fromSource = true;
  binaryNativeCode = false;
  binaryBytecode = false;
  binaryFirmware = false;
}
