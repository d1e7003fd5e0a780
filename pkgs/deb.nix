# One .deb: how it is fetched and what its store path is.
#
# The store path is a function of the .deb's hash and the unpack format's version, nothing else, so one security
# update re-unpacks one path and leaves every other package's path alone.
{ lib }:

let
  # Store path names allow fewer characters than Debian's versions (`1:2.41~rc1`).
  storeName = lib.stringAsChars (c: if builtins.match "[0-9A-Za-z+._?=-]" c == null then "-" else c);
in
rec {
  # The format that `builtin:unpack-deb` writes. A change of the layout must change this number.
  format = 1;

  # record → the .deb as a fixed-output derivation. The mirror is resolved only when fetching.
  fetch =
    { name, version, architecture, filename, sha256, origin ? "debian", ... }:
    derivation {
      name = storeName (baseNameOf filename);
      system = "builtin";
      builder = "builtin:fetchurl";
      url = "mirror://${origin}/${filename}";
      outputHash = sha256;
      outputHashAlgo = "sha256";
      outputHashMode = "flat";
      preferLocalBuild = true;
    };

  # record → the package: a derivation whose output is the .deb, unpacked and unmodified.
  package =
    record@{ name, version, architecture, ... }:
    let
      drv = derivation {
        name = "${name}-${storeName version}";
        system = "builtin";
        builder = "builtin:unpack-deb";
        __structuredAttrs = true;
        deb = fetch record;
        inherit format;
        pname = name;
        inherit version architecture;
      };
    in
    drv
    // {
      pname = name;
      inherit version;
      debian = record;
      src = fetch record;
      meta = {
        description = record.description or "";
        mainProgram = name;
        position = record.section or "";
      };
      override = _: drv;
    };
}
