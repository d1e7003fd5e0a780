let
  lib = import ../../../../lib;
in
(lib.evalModules {
  modules = [
    { options.a.b = lib.mkOption { type = lib.types.str; }; }
  ];
}).config.a.b
