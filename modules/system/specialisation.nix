# `specialisation`: variants of the configuration, each with a boot entry of its own beside the generation's.
{ lib, config, extendModules, ... }:

let
  inherit (lib) mkOption types;
in
{
  options.specialisation = mkOption {
    default = { };
    example = lib.literalExpression "{ debug.configuration.boot.kernelParams = [ \"systemd.log_level=debug\" ]; }";
    description = "Variants of this configuration that can be chosen in the boot menu or switched to.";
    type = types.attrsOf (types.submodule ({ config, name, ... }: {
      options = {
        inheritParentConfig = mkOption {
          type = types.bool;
          default = true;
          description = "Whether the variant starts from this configuration.";
        };
        configuration = mkOption {
          default = { };
          description = "What differs.";
          visible = "shallow";
          inherit (extendModules {
            modules = [
              {
                _file = ./specialisation.nix;
                # A variant has no variants of its own.
                specialisation = lib.mkOverride 0 { };
                system.nixos.tags = [ name ];
              }
            ];
          }) type;
        };
      };
    }));
  };
}
