# Several outputs, in any order and under any name, and derivations that use them.
{ d, files }:
let
  many = d { name = "many"; outputs = [ "out" "dev" "lib" ]; };
  unsorted = d { name = "unsorted"; outputs = [ "z" "a" "m" ]; };
in
{
  inherit many unsorted;
  one-other-output = d { outputs = [ "bin" ]; };
  outputs-as-string-elements = d { outputs = [ "out" ]; };
  out-last = d { outputs = [ "dev" "out" ]; };
  output-with-dashes = d { outputs = [ "out" "dev-extra" "a.b" "x_y" ]; };
  eight-outputs = d { outputs = [ "a" "b" "c" "d" "e" "f" "g" "h" ]; };
  uses-default = d { x = "${many}"; };
  uses-dev = d { x = "${many.dev}"; };
  uses-two = d { x = "${many.dev} ${many.lib}"; };
  uses-all = d { x = many.all; };
  uses-first-of-unsorted = d { x = unsorted; };
  uses-one-of-unsorted = d { x = unsorted.a; };
  uses-both = d { x = [ many unsorted.m many.lib ]; };
  uses-in-args = d { args = [ many.dev "${unsorted}/bin" ]; };
  uses-as-builder = d { builder = "${many}/bin/sh"; };
  uses-as-system = d { system = builtins.unsafeDiscardStringContext "${many}"; };
  own-placeholders = d { outputs = [ "out" "dev" ]; x = "${placeholder "out"} ${placeholder "dev"}"; };
  output-selected-by-name = d { x = many."dev"; };
  overridden-attribute = d { x = (many // { outPath = "/x"; }); };
  drv-path-of-multiple = d { x = many.drvPath; };
  deep = let level = n: if n == 0 then many else d { name = "level${toString n}"; outputs = [ "out" "doc" ]; x = level (n - 1); }; in level 12;
  diamond = let a = d { name = "a"; }; b = d { name = "b"; inherit a; }; c = d { name = "c"; inherit a; }; in d { inherit b c; };
}
