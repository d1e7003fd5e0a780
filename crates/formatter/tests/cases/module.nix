# A module as people write them.
{config,lib,pkgs,...}:

with lib;
let
cfg=config.services.example; # our part
in

{
options.services.example.enable=mkEnableOption "the example";
options.services.example.port=mkOption{type=types.port;default=80;description=''
  The port.
    Indented.
'';};
config=mkIf cfg.enable (mkMerge [{environment.systemPackages=with pkgs;[vim git];} (mkIf (cfg.port<1024){security.wrappers.example={source="${pkgs.example}/bin/example";};})]);
}
