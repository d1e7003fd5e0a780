# `meta`: who looks after a module. Nothing in a system depends on it.
{ lib, ... }:

{
  options.meta = {
    maintainers = lib.mkOption {
      type = lib.types.listOf lib.types.unspecified;
      internal = true;
      default = [ ];
      description = "People who look after the module.";
    };
    doc = lib.mkOption {
      type = lib.types.unspecified;
      internal = true;
      default = null;
      description = "Documentation of the module.";
    };
  };
}
