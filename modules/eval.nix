# The entry point: a person's modules in, the evaluated system out.
# Type: { system, modules, specialArgs ? { } } → { config, options, … }
{ system, modules, specialArgs ? { } }:

let
  lib = import ../lib;
  pkgs = import ../pkgs { inherit lib system; };
in
lib.evalModules {
  class = "nixos";
  specialArgs = {
    modulesPath = toString ./.;
  } // specialArgs;
  modules = import ./module-list.nix ++ [
    {
      _file = ./eval.nix;
      config._module.args.pkgs = lib.mkDefault pkgs;
      config.nixpkgs.hostPlatform = lib.mkDefault system;
    }
  ] ++ modules;
}
