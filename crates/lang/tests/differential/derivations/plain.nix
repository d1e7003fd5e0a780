# Input-addressed derivations: names, attributes of every type, arguments, nulls.
{ d, files }:
{
  minimal = d { };
  name-with-all-characters = d { name = "a+b-c.d_e?f=0"; };
  name-of-digits = d { name = "1.2.3"; };
  long-name = d { name = builtins.concatStringsSep "" (builtins.genList (i: "x") 200); };
  other-system = d { system = "aarch64-linux"; };
  builtin-system = d { system = "builtin"; builder = "builtin:fetchurl"; };
  system-of-integer = d { system = 5; };
  builder-of-integer = d { builder = 7; };
  empty-string = d { x = ""; };
  string = d { x = "abc"; };
  special-characters = d { x = "a\"b\\c\nd\te\rf\${g}"; };
  other-control-characters = d { x = builtins.fromJSON "\"\\u0001\\u007f\\b\\f\""; };
  unicode = d { x = "é日本語😀"; };
  integer = d { x = 42; };
  negative-integer = d { x = -42; };
  largest-integer = d { x = 9223372036854775807; };
  float = d { x = 1.5; };
  tiny-float = d { x = 1.0e-10; };
  big-float = d { x = 1.0e20; };
  true-value = d { x = true; };
  false-value = d { x = false; };
  null-value = d { x = null; };
  ignored-nulls = d { __ignoreNulls = true; x = null; y = 1; };
  nulls-not-ignored = d { __ignoreNulls = false; x = null; };
  ignored-null-arguments = d { __ignoreNulls = true; args = null; };
  list = d { x = [ "a" 1 true null 2.5 ]; };
  empty-list = d { x = [ ]; };
  nested-lists = d { x = [ [ 1 2 ] [ ] [ 3 [ 4 ] ] ]; };
  list-of-empty-strings = d { x = [ "" "" "" ]; };
  set-with-to-string = d { x = { __toString = self: "s${self.y}"; y = "t"; }; };
  set-with-out-path = d { x = { outPath = "/x"; }; };
  args = d { args = [ "-c" "echo hi" ]; };
  empty-args = d { args = [ ]; };
  args-of-all-types = d { args = [ 1 true false null 1.5 "a" [ "b" "c" ] ]; };
  args-with-special-characters = d { args = [ "\"" "\n" "\\" "\t" "$x" ]; };
  many-attributes = d (builtins.listToAttrs (builtins.genList (i: { name = "v${toString i}"; value = i; }) 60));
  attribute-names-of-all-kinds = d { "a b" = 1; "é" = 2; "" = 3; "a\nb" = 4; "A" = 5; "_" = 6; "1" = 7; };
  attribute-called-out = d { out = "mine"; };
  attribute-called-type = d { type = "mine"; };
  attribute-called-outpath = d { outPath = "mine"; };
  attribute-called-all = d { all = 1; drvAttrs = 2; };
  multi-line = d { script = ''
    a
      b
    ''${c}
  ''; };
  long-value = d { x = builtins.concatStringsSep "," (builtins.genList toString 3000); };
  pass-as-file = d { passAsFile = [ "x" "y" ]; x = "text"; y = "more"; };
  pass-as-file-string = d { passAsFile = "x"; x = "text"; };
  prefer-local = d { preferLocalBuild = true; allowSubstitutes = false; };
  impure-env = d { impureEnvVars = [ "http_proxy" "https_proxy" ]; };
  required-features = d { requiredSystemFeatures = [ "kvm" "big-parallel" ]; };
  no-chroot = d { __noChroot = true; __impureHostDeps = [ "/bin" ]; __sandboxProfile = "x"; };
  structured-attrs-off = d { __structuredAttrs = false; x = 1; };
  content-addressed-off = d { __contentAddressed = false; };
  impure-off = d { __impure = false; };
  json-attribute = d { __json = "{}"; };
  hash-algo-alone = d { outputHashAlgo = "sha256"; outputHashMode = "recursive"; };
  unknown-hash-algo-alone = d { outputHashAlgo = "nope"; };
  lazily-unused = let x = d { }; in d { inherit (x) name; };
  position-does-not-matter = d
    {
      x =
        1;
    };
}
