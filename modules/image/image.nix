# `image.modules`: what differs where a configuration becomes the image of a format. `esker image --format iso` writes
# `system.build.images.iso`; a format that is not listed has the configuration's own system.
{ lib, config, extendModules, ... }:

let
  inherit (lib) mkOption types;

  # What a stick carries beside the system that runs from it: the configured system, for installing without a network.
  configured = { system.extraDependencies = [ config.system.build.toplevel ]; };
in
{
  options.image.modules = mkOption {
    type = types.attrsOf types.deferredModule;
    default = { };
    example = lib.literalExpression ''{ iso = { isoImage.volumeID = "RESCUE"; }; }'';
    description = "What differs in the images of a format: `iso`, `netboot`, `uki` or `tar`.";
  };

  config = {
    image.modules = {
      iso = { imports = [ ./live-menu.nix configured ]; image.live = { enable = true; fromMedium = true; }; };
      netboot.image.live.enable = true;
      uki.image.live.enable = true;
      tar.boot.isContainer = true;
    };

    system.build.images = lib.mapAttrs (
      name: module: (extendModules { modules = [ module ]; }).config.system.build.toplevel
    ) config.image.modules;
  };
}
