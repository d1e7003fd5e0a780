# Submodules: names, defaults that read config, freeform settings, nested declarations, paths as definitions.
let
  lib = import ../../../../lib;
  inherit (lib) mkOption types mkIf mkDefault;
  config = (lib.evalModules {
  specialArgs.greeting = "hi";
  modules = [
    (
      { lib, ... }:
      {
        options.hosts = mkOption {
          default = { };
          type = types.attrsOf (
            types.submodule (
              { name, config, ... }:
              {
                options.id = mkOption { type = types.str; default = name; };
                options.summary = mkOption { type = types.str; readOnly = true; };
                options.extra = mkOption { type = types.attrsOf types.int; default = { }; };
                config.summary = "${config.id}:${toString (lib.length (lib.attrNames config.extra))}";
                config.extra = mkIf (config.id != "b") { auto = 1; };
              }
            )
          );
        };
        options.settings = mkOption {
          type = types.submodule {
            freeformType = types.attrsOf (types.either types.int types.str);
            options.level = mkOption { type = types.int; default = 3; };
          };
          default = { };
        };
        options.one = mkOption { type = types.submodule { options.a = mkOption { default = 1; }; }; };
      }
    )
    { options.one = mkOption { type = types.submodule { options.b = mkOption { default = 2; }; }; }; }
    { options.one.c = mkOption { default = 3; }; }
    {
      hosts.a.extra.n = 1;
      hosts.b = { };
      settings = { free = "x"; level = 4; };
      one.b = 20;
    }
    { settings.more = mkDefault 5; hosts = mkIf false { never = { }; }; }
    { options.greet = mkOption { type = types.functionTo types.str; default = x: "hello ${x}"; }; }
    { options.shout = mkOption { type = types.raw; }; }
    ({ config, greeting, ... }: { shout = config.greet greeting; })
  ];
  }).config;
in
builtins.removeAttrs config [ "greet" ]
