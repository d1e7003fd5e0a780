# How definitions of the plain types join; imported and later modules come first.
let
  lib = import ../../../../lib;
  inherit (lib) mkOption types mkForce mkDefault mkBefore mkAfter mkOrder mkIf mkMerge;
  config =
    (lib.evalModules {
  modules = [
    {
      options = {
        bool = mkOption { type = types.bool; };
        boolByOr = mkOption { type = types.boolByOr; };
        int = mkOption { type = types.int; default = 1; };
        forced = mkOption { type = types.int; default = 1; };
        lines = mkOption { type = types.lines; };
        commas = mkOption { type = types.commas; };
        list = mkOption { type = types.listOf types.str; };
        attrs = mkOption { type = types.attrsOf types.int; };
        nested = mkOption { type = types.attrsOf (types.listOf types.int); };
        lazy = mkOption { type = types.lazyAttrsOf (types.nullOr types.int); };
        nullOr = mkOption { type = types.nullOr types.str; };
        either = mkOption { type = types.either types.int (types.listOf types.int); };
        coerced = mkOption { type = types.coercedTo types.int toString types.str; };
        enum = mkOption { type = types.enum [ "a" 1 ]; };
        anything = mkOption { type = types.anything; };
        unspecified = mkOption { };
        function = mkOption { type = types.functionTo (types.listOf types.int); };
        applied = mkOption { type = types.int; apply = x: x * 2; };
        unset = mkOption { type = types.attrsOf types.int; default = { }; };
        line = mkOption { type = types.singleLineStr; };
        tagged = mkOption {
          type = types.attrTag {
            foo = mkOption { type = types.listOf types.int; };
            bar = mkOption { type = types.str; };
          };
        };
      };
    }
    {
      bool = true;
      boolByOr = false;
      int = 5;
      forced = mkForce 2;
      lines = "one";
      commas = "a";
      list = [ "m" ];
      attrs = { a = 1; c = mkIf false 9; };
      nested.x = [ 1 ];
      lazy = { a = mkIf false 3; b = 4; };
      nullOr = "x";
      either = [ 1 ];
      coerced = 5;
      enum = "a";
      anything = { a.b = 1; l = [ 1 ]; };
      unspecified = [ 1 ];
      function = x: [ x ];
      applied = 21;
      line = "text\n";
      tagged.foo = [ 1 ];
    }
    {
      bool = true;
      boolByOr = true;
      forced = 3;
      lines = mkMerge [ "two" (mkBefore "zero") ];
      commas = mkDefault "b";
      list = mkMerge [ (mkAfter [ "z" ]) (mkBefore [ "a" ]) (mkOrder 1200 [ "y" ]) [ "n" ] (mkIf false [ "never" ]) ];
      attrs = { b = mkForce 2; };
      nested = mkMerge [ { x = mkBefore [ 0 ]; } (mkIf true { y = [ 3 ]; }) ];
      either = [ 2 ];
      anything = { a.c = 2; l = [ 1 ]; };
      unspecified = [ 2 ];
      function = x: [ (x + 1) ];
      tagged.foo = [ 2 ];
    }
  ];
}).config;
in
config // { function = config.function 10; }
