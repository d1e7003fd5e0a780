# Where modules come from: paths (each once), functions, functors, sets, disabled ones; arguments; extending.
let
  lib = import ../../../../lib;
  inherit (lib) mkOption types mkIf mkForce mkOptionType;
  even = mkOptionType {
    name = "even";
    check = v: builtins.isInt v && v == (v / 2) * 2;
    merge = loc: defs: builtins.foldl' (sum: d: sum + d.value) 0 defs;
  };
  result = lib.evalModules {
    class = "test";
    specialArgs = { modulesPath = toString ./parts; special = "s"; };
    modules = [
      ./parts/a.nix
      ./parts/b.nix
      ./parts/disabled.nix
      {
        _class = "test";
        disabledModules = [ "disabled.nix" ];
        freeformType = types.attrsOf types.int;
        options = {
          list = mkOption { type = types.listOf types.str; };
          arg = mkOption { };
          even = mkOption { type = types.listOf even; };
          sum = mkOption { type = even; };
          short = mkOption { type = types.str // { check = s: builtins.stringLength s < 4; }; };
          checked = mkOption { type = types.addCheck types.int (x: x > 3); };
          deferred = mkOption { type = types.deferredModule; };
          prio = mkOption { type = types.int; default = 1; };
        };
      }
      { __functor = self: { special, ... }: { arg = special + self.more; }; more = "!"; }
      ({ later, ... }: { list = [ later ]; })
      { _module.args.later = "later"; }
      { key = "once"; list = [ "once" ]; }
      { key = "once"; list = [ "twice" ]; }
      { even = [ 2 4 ]; sum = 2; short = "abc"; checked = 5; free = 7; }
      { sum = 4; prio = mkIf false 9; }
      { deferred = { list = [ "deferred" ]; }; }
      (mkIf true { list = [ "conditional" ]; })
    ];
  };
  extended = result.extendModules { modules = [ { prio = mkForce 3; imports = [ result.config.deferred ]; } ]; };
  refused = module: !(builtins.tryEval (builtins.deepSeq (result.extendModules { modules = [ module ]; }).config null)).success;
in
{
  config = builtins.removeAttrs result.config [ "deferred" ];
  extended = { inherit (extended.config) list prio; };
  info = {
    inherit (result.options.list) isDefined highestPrio;
    prio = result.options.prio.highestPrio;
    name = toString result.options.prio;
    type = result.options.even.type.description;
    files = builtins.length result.options.list.files;
  };
  refused = {
    class = refused { _class = "other"; };
    short = refused { short = "abcd"; };
    checked = refused { checked = 3; };
    odd = refused { sum = 3; };
    freeform = refused { free2 = "no int"; };
    none = refused { };
  };
}
