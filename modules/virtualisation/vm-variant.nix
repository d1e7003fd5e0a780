# `virtualisation.vmVariant`: what differs where a configuration is tried out in a virtual machine by `esker vm`, which runs
# `system.build.vm`: the configuration, that, and what a machine needs that shares its host's store.
{ lib, config, extendModules, ... }:

{
  options.virtualisation.vmVariant = lib.mkOption {
    type = lib.types.deferredModule;
    default = { };
    example = lib.literalExpression ''{ users.users.root.initialPassword = "try"; }'';
    description = "What differs in the virtual machine that `esker vm` makes of this configuration without a disk image.";
  };

  config.system.build.vm =
    (extendModules { modules = [ ./shared-store.nix config.virtualisation.vmVariant ]; }).config.system.build.toplevel;
}
