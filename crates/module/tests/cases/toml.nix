# TOML modules: imports, priorities, strings that name packages and paths.
let
  lib = import ../../../../lib;
  inherit (lib) mkOption types;
  package = name: { type = "derivation"; inherit name; outPath = "/out/${name}"; };
  config =
    (lib.evalModules {
      modules = [
        ./packages.toml
        {
          config._module.args.pkgs = { hello = package "hello"; bash = package "bash"; python.pip = package "pip"; };
          options = {
            networking.hostName = mkOption { type = types.str; };
            packages = mkOption { type = types.listOf types.package; };
            shell = mkOption { type = types.nullOr (types.either types.shellPackage (types.passwdEntry types.path)); };
            level = mkOption { type = types.int; };
            port = mkOption { type = types.port; };
            file = mkOption { type = types.path; };
            maybe = mkOption { type = types.nullOr types.package; };
            text = mkOption { type = types.either types.package types.str; };
          };
          config.port = 8080;
        }
      ];
    }).config;
in
config
// {
  packages = map (p: p.name) config.packages;
  shell = "checked below";
  maybe = config.maybe.name;
  file = baseNameOf config.file;
}
