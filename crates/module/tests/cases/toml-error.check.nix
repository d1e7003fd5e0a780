# Mistakes in TOML point into the file.
let
  lib = import ../../../../lib;
  inherit (lib) mkOption types;
in
lib.evalModules {
  modules = [
    ./wrong.toml
    {
      config._module.args.pkgs = { hello = { type = "derivation"; name = "hello"; }; };
      options = {
        packages = mkOption { type = types.listOf types.package; };
        services.ssh.port = mkOption { type = types.port; };
      };
    }
  ];
}
