# `nix.settings`: the binary caches that this machine copies from and the keys that it trusts, where Nix reads them too.
{ lib, config, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.nix.settings;
  show = v: if lib.isList v then lib.concatStringsSep " " (map toString v) else if lib.isBool v then lib.boolToString v else toString v;
in
{
  options.nix.settings = mkOption {
    default = { };
    description = "Settings, as in nix.conf(5).";
    type = types.submodule {
      freeformType = types.attrsOf (types.oneOf [ types.bool types.int types.str (types.listOf types.str) ]);
      options = {
        substituters = mkOption { type = types.listOf types.str; default = [ ]; description = "Binary caches."; };
        trusted-public-keys = mkOption { type = types.listOf types.str; default = [ ]; description = "Keys whose signatures count."; };
      };
    };
  };

  config.environment.etc."nix/nix.conf".text = lib.concatStrings (
    lib.mapAttrsToList (n: v: "${n} = ${show v}\n") (lib.filterAttrs (_: v: v != [ ]) cfg)
  );
}
