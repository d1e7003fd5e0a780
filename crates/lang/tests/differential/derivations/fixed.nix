# Fixed outputs: every mode, algorithm and notation, and what depends on them.
{ d, files }:
let
  base16 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  sri = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  flat = d { name = "flat"; outputHash = base16; outputHashAlgo = "sha256"; };
  recursive = d { name = "recursive"; outputHash = base16; outputHashAlgo = "sha256"; outputHashMode = "recursive"; };
in
{
  inherit flat recursive;
  flat-said = d { outputHash = base16; outputHashAlgo = "sha256"; outputHashMode = "flat"; };
  nar-mode = d { outputHash = base16; outputHashAlgo = "sha256"; outputHashMode = "nar"; };
  text-mode = d { outputHash = base16; outputHashAlgo = "sha256"; outputHashMode = "text"; };
  text-derivation = d { name = "x.drv"; outputHash = base16; outputHashAlgo = "sha256"; outputHashMode = "text"; };
  git-mode = d { outputHash = "da39a3ee5e6b4b0d3255bfef95601890afd80709"; outputHashAlgo = "sha1"; outputHashMode = "git"; };
  base32 = d { outputHash = "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73"; outputHashAlgo = "sha256"; };
  base64 = d { outputHash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="; outputHashAlgo = "sha256"; };
  sri-notation = d { outputHash = sri; };
  sri-with-algo = d { outputHash = sri; outputHashAlgo = "sha256"; };
  sri-with-empty-algo = d { outputHash = sri; outputHashAlgo = ""; };
  sri-with-null-algo = d { outputHash = sri; outputHashAlgo = null; };
  prefixed = d { outputHash = "sha256:${base16}"; };
  prefixed-with-algo = d { outputHash = "sha256:${base16}"; outputHashAlgo = "sha256"; };
  md5 = d { outputHash = "d41d8cd98f00b204e9800998ecf8427e"; outputHashAlgo = "md5"; };
  sha1 = d { outputHash = "da39a3ee5e6b4b0d3255bfef95601890afd80709"; outputHashAlgo = "sha1"; };
  sha512 = d { outputHash = "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"; outputHashAlgo = "sha512"; };
  md5-recursive = d { outputHash = "d41d8cd98f00b204e9800998ecf8427e"; outputHashAlgo = "md5"; outputHashMode = "recursive"; };
  sha1-recursive = d { outputHash = "da39a3ee5e6b4b0d3255bfef95601890afd80709"; outputHashAlgo = "sha1"; outputHashMode = "recursive"; };
  sha512-sri-recursive = d { outputHash = "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg=="; outputHashMode = "recursive"; };
  empty-hash = d { outputHash = ""; outputHashAlgo = "sha256"; };
  empty-recursive-hash = d { outputHash = ""; outputHashAlgo = "sha512"; outputHashMode = "recursive"; };
  with-outputs-said = d { outputHash = sri; outputs = [ "out" ]; };
  with-inputs = d { outputHash = sri; x = flat; y = "${files}/a.txt"; };
  same-contents-other-name = d { name = "other"; outputHash = base16; outputHashAlgo = "sha256"; };
  same-contents-other-builder = d { name = "flat"; builder = "/other"; outputHash = base16; outputHashAlgo = "sha256"; };
  uses-flat = d { x = flat; };
  uses-recursive = d { x = recursive; };
  uses-both = d { x = [ flat recursive ]; };
  downstream-of-either-builder = d { x = d { name = "flat"; builder = "/other"; outputHash = base16; outputHashAlgo = "sha256"; }; };
  content-addressed-too = d { outputHash = sri; __contentAddressed = true; };
  fetchurl-builtin = derivation {
    name = "x.tar.gz"; builder = "builtin:fetchurl"; system = "builtin"; url = "https://example.org/x.tar.gz";
    urls = [ "https://example.org/x.tar.gz" ]; unpack = false; executable = false; outputHash = sri; outputHashAlgo = null;
    outputHashMode = "flat"; preferLocalBuild = true; impureEnvVars = [ "http_proxy" ];
  };
  pass-as-file = d { outputHash = sri; passAsFile = [ "x" ]; x = "y"; };
  structured = d { __structuredAttrs = true; outputHash = sri; outputHashMode = "recursive"; x = [ 1 2 ]; };
  placeholder-of-own-output = d { outputHash = sri; x = placeholder "out"; };
}
