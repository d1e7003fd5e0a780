# `environment.shells`: which programs are login shells.
{ lib, config, ... }:

let
  inherit (lib) mkOption types;
in
{
  options.environment.shells = mkOption {
    type = types.listOf (types.either types.shellPackage types.path);
    default = [ ];
    description = "Further login shells, beside those of /bin.";
  };

  config.environment.etc.shells.text = lib.concatMapStrings (s: s + "\n") (
    [ "/bin/sh" "/usr/bin/sh" "/bin/bash" "/usr/bin/bash" "/bin/dash" "/usr/bin/dash" "/bin/rbash" "/usr/bin/rbash" ]
    ++ lib.unique (lib.concatMap (
      s: if lib.isDerivation s then map (folder: "${folder}/${lib.getName s}") [ "/usr/bin" "/bin" ] else [ (toString s) ]
    ) config.environment.shells)
  );
}
