# Structured attributes: everything goes into one JSON text.
{ d, files }:
let
  s = attrs: d ({ __structuredAttrs = true; } // attrs);
  dep = d { name = "dep"; outputs = [ "out" "dev" ]; };
in
{
  minimal = s { };
  string = s { x = "a\"b\\c\nd\té"; };
  numbers = s { a = 1; b = -1; c = 1.5; d = 1.0; e = 1.0e30; f = 1.0e-7; g = 9223372036854775807; };
  booleans = s { a = true; b = false; };
  nulls = s { a = null; };
  ignored-nulls = s { __ignoreNulls = true; a = null; b = { c = null; }; };
  list = s { x = [ 1 "a" null true [ ] { } ]; };
  set = s { x = { b = 1; a = { c = [ 2 ]; }; "é" = 3; "1" = 4; }; };
  empty-set = s { x = { }; };
  path = s { x = files; };
  dependency = s { x = dep; };
  dependency-output = s { x = dep.dev; y = [ dep dep.dev ]; z = { w = dep; }; };
  drv-path = s { x = dep.drvPath; };
  string-with-context = s { x = "${dep}/bin"; };
  args = s { args = [ "a" 1 dep ]; };
  outputs = s { outputs = [ "out" "dev" ]; };
  outputs-unsorted = s { outputs = [ "z" "a" ]; };
  builder-with-context = s { builder = "${dep}/bin/sh"; };
  fixed = s { outputHash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="; };
  floating = s { __contentAddressed = true; outputHashMode = "recursive"; outputHashAlgo = "sha256"; };
  impure = s { __impure = true; };
  output-checks = s { outputChecks.out = { maxSize = 1; allowedReferences = [ dep "out" ]; disallowedRequisites = [ ]; }; };
  export-references-graph = s { exportReferencesGraph.graph = [ dep ]; };
  export-references-of-drv = s { exportReferencesGraph.graph = [ dep.drvPath ]; };
  unsafe-discard-references = s { unsafeDiscardReferences.out = true; };
  pass-as-file-has-no-meaning = s { passAsFile = [ "x" ]; x = "y"; };
  to-string-set = s { x = { __toString = self: "t"; }; };
  out-path-set = s { x = { outPath = dep; }; };
  used-by-another = d { x = s { name = "inner"; y = 1; }; };
  env-set = s { env = { A = "1"; B = 2; }; };
  placeholders = s { x = placeholder "out"; };
  required-features = s { requiredSystemFeatures = [ "kvm" ]; preferLocalBuild = true; };
  attribute-called-structured = s { structuredAttrs = 1; };
}
