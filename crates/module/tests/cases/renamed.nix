# Renamed, aliased, merged and changed options pass their definitions on, with priorities.
let
  lib = import ../../../../lib;
  inherit (lib) mkOption types;
  config = (lib.evalModules {
  modules = [
    (lib.mkRenamedOptionModule [ "old" "name" ] [ "new" "name" ])
    (lib.mkAliasOptionModule [ "alias" ] [ "real" ])
    (lib.mkMergedOptionModule [ [ "x" ] [ "y" ] ] [ "sum" ] (c: c.x + c.y))
    (lib.mkChangedOptionModule [ "celsius" ] [ "kelvin" ] (c: c.celsius + 273))
    {
      options = {
        new.name = mkOption { type = types.str; };
        real = mkOption { type = types.int; };
        sum = mkOption { type = types.int; };
        kelvin = mkOption { type = types.int; };
        warnings = mkOption { type = types.listOf types.str; default = [ ]; };
        assertions = mkOption { type = types.listOf types.unspecified; default = [ ]; };
      };
    }
    { _file = "user.nix"; old.name = "n"; alias = lib.mkForce 5; real = 4; x = 1; y = 2; celsius = 20; }
  ];
  }).config;
in
{ inherit (config) new real alias sum kelvin warnings; old = config.old.name; }
