let
  lib = import ../../../../lib;
in
(lib.evalModules {
  modules = [
    { options.a = lib.mkOption { readOnly = true; default = 1; }; }
    { a = 2; }
  ];
}).config
