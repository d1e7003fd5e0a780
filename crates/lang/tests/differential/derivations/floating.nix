# Content-addressed floating and impure outputs, and paths that are not known because of them.
{ d, files }:
let
  ca = attrs: d ({ __contentAddressed = true; outputHashMode = "recursive"; outputHashAlgo = "sha256"; } // attrs);
  plain = ca { name = "ca"; };
  impure = d { name = "impure"; __impure = true; };
  maker = d { name = "made.drv"; __contentAddressed = true; outputHashMode = "text"; outputHashAlgo = "sha256"; };
in
{
  inherit plain impure maker;
  defaults = d { __contentAddressed = true; };
  flat = ca { outputHashMode = "flat"; };
  text = ca { outputHashMode = "text"; };
  git = ca { outputHashMode = "git"; outputHashAlgo = "sha1"; };
  sha512 = ca { outputHashAlgo = "sha512"; };
  md5 = ca { outputHashAlgo = "md5"; };
  outputs = ca { outputs = [ "out" "dev" ]; };
  uses-floating = d { x = plain; };
  uses-two-outputs-of-floating = let two = ca { name = "two"; outputs = [ "out" "dev" ]; }; in d { x = "${two} ${two.dev}"; };
  uses-deferred = d { x = d { name = "deferred"; x = plain; }; };
  floating-uses-floating = ca { x = plain; };
  floating-uses-plain = ca { x = d { name = "dep"; }; };
  fixed-uses-floating = d { outputHash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="; x = plain; };
  plain-uses-fixed-of-floating = d { x = d { name = "f"; outputHash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="; x = plain; }; };
  deferred-with-outputs = d { outputs = [ "out" "dev" ]; x = plain; };
  deferred-structured = d { __structuredAttrs = true; x = plain; };
  impure-outputs = d { __impure = true; outputs = [ "out" "log" ]; };
  impure-flat = d { __impure = true; outputHashMode = "flat"; outputHashAlgo = "sha512"; };
  uses-impure = d { __impure = true; x = impure; };
  floating-uses-impure = ca { x = impure; };
  placeholders = ca { x = placeholder "out"; };
  drv-path-of-floating = d { x = plain.drvPath; };
  drv-file-of-floating = d { x = builtins.unsafeDiscardOutputDependency plain.drvPath; };
  output-of-known = let dep = d { name = "dep"; }; in d { x = builtins.outputOf (builtins.unsafeDiscardOutputDependency dep.drvPath) "out"; };
  output-of-floating = d { x = builtins.outputOf (builtins.unsafeDiscardOutputDependency plain.drvPath) "out"; };
  output-of-other-output = let dep = ca { name = "dep"; outputs = [ "out" "dev" ]; }; in d { x = builtins.outputOf (builtins.unsafeDiscardOutputDependency dep.drvPath) "dev"; };
  output-of-made = d { x = builtins.outputOf maker.outPath "out"; };
  output-of-made-and-it = d { x = "${maker} ${builtins.outputOf maker.outPath "out"} ${builtins.outputOf maker.outPath "dev"}"; };
  output-of-made-by-made = d { x = builtins.outputOf (builtins.outputOf maker.outPath "out") "dev"; };
  output-of-made-floating = ca { x = builtins.outputOf maker.outPath "out"; };
  output-of-made-structured = d { __structuredAttrs = true; x = builtins.outputOf maker.outPath "out"; y = plain; };
  output-of-made-fixed = d { outputHash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="; x = builtins.outputOf maker.outPath "out"; };
  output-of-made-by-fixed = let fixed = d { name = "f.drv"; outputHashMode = "text"; outputHash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="; }; in d { x = builtins.outputOf fixed.outPath "out"; };
  uses-output-of-made = d { x = d { name = "dep"; x = builtins.outputOf maker.outPath "out"; }; };
  drv-path-of-output-of-made = d { x = (d { name = "dep"; x = builtins.outputOf maker.outPath "out"; }).drvPath; };
  drv-path-and-output-of-made = d { x = builtins.outputOf maker.outPath "out"; y = maker.drvPath; };
}
