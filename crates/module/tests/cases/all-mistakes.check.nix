# One run reports every mistake.
let
  lib = import ../../../../lib;
  inherit (lib) mkOption mkEnableOption types;
in
lib.evalModules {
  modules = [
    {
      options = {
        assertions = mkOption { type = types.listOf types.unspecified; default = [ ]; };
        warnings = mkOption { type = types.listOf types.str; default = [ ]; };
        services.foo.enable = mkEnableOption "foo";
        services.foo.port = mkOption { type = types.port; };
        services.foo.level = mkOption { type = types.enum [ "debug" "info" ]; default = "info"; };
        services.foo.hosts = mkOption {
          default = { };
          type = types.attrsOf (types.submodule { options.root = mkOption { type = types.path; }; });
        };
        services.foo.names = mkOption { type = types.listOf types.str; default = [ ]; };
        services.foo.unused = mkOption { default = throw "a default nobody asked for"; };
        networking.name = mkOption { type = types.str; };
        networking.missing = mkOption { type = types.str; };
      };
    }
    {
      services.foo.enalbe = true;
      services.foo.port = "80";
      services.foo.level = "inof";
      services.foo.hosts.a.root = 5;
      services.foo.hosts.b.rooot = "/x";
      services.foo.names = [ "x" 7 ];
      netwroking.name = "x";
      networking.name = "one";
    }
    { networking.name = "two"; }
    { assertions = [ { assertion = false; message = "foo needs bar"; } { assertion = true; message = "never"; } ]; }
    { warnings = [ "this is old" ]; }
  ];
}
