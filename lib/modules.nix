# Modules: evaluating them, and the properties and helper modules that configurations are written with.
#
# `evalModules` and merging are native (`lib.native`, crates/module); here are the
# constructors of properties and the modules that rename, remove and alias options.
# What it is not: any particular module.
{ lib }:
let
  inherit (lib) native;
  inherit (lib)
    attrByPath
    getAttrFromPath
    mkOption
    setAttrByPath
    showOption
    types
    ;
in
rec {
  # evalModules :: { modules; specialArgs ? { }; class ? null; prefix ? [ ]; } -> { options; config; type; extendModules; … }
  # Evaluates modules together.
  #   (evalModules { modules = [ { options.a = mkOption { default = 1; }; } ]; }).config => { a = 1; }
  #
  # mergeDefinitions :: [String] -> OptionType -> [{ file; value; }] -> { mergedValue; isDefined; optionalValue; … }
  # Merges definitions as an option of that type would.
  #   (mergeDefinitions [ "x" ] types.int [ { file = "a"; value = mkForce 2; } { file = "b"; value = 1; } ]).mergedValue => 2
  #
  # mergeModules :: [String] -> [Module] -> { String = Option; }
  # The options of modules, each with its value.
  #   (mergeModules [ ] [ { file = "f"; _file = "f"; options.a = mkOption { }; config.a = 1; } ]).a.value => 1
  inherit (native)
    evalModules
    mergeDefinitions
    mergeModules
    mergeModules'
    mergeOptionDecls
    unifyModuleSyntax
    fixupOptionType
    ;

  # defaultOverridePriority :: Int
  # The priority of a definition that states none; smaller wins.
  #   defaultOverridePriority => 100
  defaultOverridePriority = 100;

  # defaultOrderPriority :: Int
  # The order of a definition that states none; smaller comes first.
  #   defaultOrderPriority => 1000
  defaultOrderPriority = 1000;

  # mkIf :: Bool -> a -> Property
  # A definition that counts only when a condition holds; the condition is not needed to know which options it defines.
  #   mkIf true 1 => { _type = "if"; condition = true; content = 1; }
  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };

  # mkAssert :: Bool -> String -> a -> Property
  # A definition that fails with a message when used and the assertion does not hold.
  #   mkAssert true "m" 1 => mkIf true 1
  mkAssert =
    assertion: message: content:
    mkIf (if assertion then true else throw "\nFailed assertion: ${message}") content;

  # mkMerge :: [a] -> Property
  # Several definitions in one.
  #   mkMerge [ 1 ] => { _type = "merge"; contents = [ 1 ]; }
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };

  # mkOverride :: Int -> a -> Property
  # A definition of a priority; of all definitions only those of the smallest number count.
  #   mkOverride 50 1 => { _type = "override"; priority = 50; content = 1; }
  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };

  # mkOptionDefault :: a -> Property
  # The priority of an option's own default.
  #   (mkOptionDefault 1).priority => 1500
  mkOptionDefault = mkOverride 1500;

  # mkDefault :: a -> Property
  # A default that a plain definition overrides.
  #   (mkDefault 1).priority => 1000
  mkDefault = mkOverride 1000;

  # mkImageMediaOverride :: a -> Property
  # What images and installation media set.
  #   (mkImageMediaOverride 1).priority => 60
  mkImageMediaOverride = mkOverride 60;

  # mkForce :: a -> Property
  # Overrides plain definitions.
  #   (mkForce 1).priority => 50
  mkForce = mkOverride 50;

  # mkVMOverride :: a -> Property
  # What virtual machines set.
  #   (mkVMOverride 1).priority => 10
  mkVMOverride = mkOverride 10;

  # mkFixStrictness :: a -> a
  # Does nothing any more.
  #   mkFixStrictness 1 => 1
  mkFixStrictness = lib.id;

  # mkOrder :: Int -> a -> Property
  # Where a definition stands among those it is merged with.
  #   mkOrder 5 1 => { _type = "order"; priority = 5; content = 1; }
  mkOrder = priority: content: {
    _type = "order";
    inherit priority content;
  };

  # mkBefore :: a -> Property
  # Before the others.
  #   (mkBefore 1).priority => 500
  mkBefore = mkOrder 500;

  # mkAfter :: a -> Property
  # After the others.
  #   (mkAfter 1).priority => 1500
  mkAfter = mkOrder 1500;

  # mkDefinition :: { file; value; } -> Property
  # A definition with a file of its own, for error messages.
  #   (mkDefinition { file = "f"; value = 1; })._type => "definition"
  mkDefinition = args@{ file, value, ... }: args // { _type = "definition"; };

  # setDefaultModuleLocation :: (String | Path) -> Module -> Module
  # Says which file a module comes from, unless it says so itself.
  #   setDefaultModuleLocation "f" { } => { _file = "f"; imports = [ { } ]; }
  setDefaultModuleLocation = file: m: {
    _file = file;
    imports = [ m ];
  };

  # importApply :: Path -> a -> Module
  # A module from a file that is a function of something first.
  #   (importApply ./tests/module.nix 1).imports => [ { config.a = 1; } ]
  importApply = modulePath: staticArg: setDefaultModuleLocation modulePath (import modulePath staticArg);

  # applyModuleArgsIfFunction :: String -> Module -> AttrSet -> Module
  # Calls a module that is a function.
  #   applyModuleArgsIfFunction "k" ({ a, ... }: { b = a; }) { a = 1; config = { }; } => { b = 1; }
  applyModuleArgsIfFunction =
    key: f: args:
    if lib.isFunction f then
      f (args // builtins.mapAttrs (name: _: args.${name} or args.config._module.args.${name}) (lib.functionArgs f))
    else
      f;

  # pushDownProperties :: Definition -> [AttrSet]
  # Moves `mkIf`, `mkMerge` and `mkOverride` around a set onto its attributes.
  #   pushDownProperties (mkIf true { a = 1; }) => [ { a = mkIf true 1; } ]
  pushDownProperties =
    cfg:
    let
      kind = cfg._type or "";
      wrap = property: map (builtins.mapAttrs (_: property)) (pushDownProperties cfg.content);
    in
    if kind == "merge" then
      builtins.concatMap pushDownProperties cfg.contents
    else if kind == "if" then
      wrap (mkIf cfg.condition)
    else if kind == "override" then
      wrap (mkOverride cfg.priority)
    else
      [ cfg ];

  # dischargeProperties :: Definition -> [a]
  # The definitions that count: conditions decided, `mkMerge` taken apart.
  #   dischargeProperties (mkMerge [ 1 (mkIf false 2) (mkIf true 3) ]) => [ 1 3 ]
  dischargeProperties =
    def:
    let
      kind = def._type or "";
    in
    if kind == "merge" then
      builtins.concatMap dischargeProperties def.contents
    else if kind == "if" then
      if builtins.isBool def.condition then
        lib.optionals def.condition (dischargeProperties def.content)
      else
        throw "the condition of `mkIf` is a ${builtins.typeOf def.condition}, not a Boolean"
    else
      [ def ];

  # filterOverrides :: [{ file; value; }] -> [{ file; value; }]
  # The definitions of the smallest priority.
  #   map (d: d.value) (filterOverrides [ { value = mkForce 1; } { value = 2; } ]) => [ 1 ]
  filterOverrides =
    defs:
    let
      priorityOf = def: if def.value._type or "" == "override" then def.value.priority else defaultOverridePriority;
      highest = builtins.foldl' (prio: def: lib.min (priorityOf def) prio) 9999 defs;
      strip = def: if def.value._type or "" == "override" then def // { value = def.value.content; } else def;
    in
    map strip (builtins.filter (def: priorityOf def == highest) defs);

  # sortProperties :: [{ value; }] -> [{ value; }]
  # Definitions in the order `mkOrder` asks for.
  #   map (d: d.value) (sortProperties [ { value = 1; } { value = mkBefore 2; } ]) => [ 2 1 ]
  sortProperties =
    defs:
    let
      orderOf = def: def.priority or defaultOrderPriority;
      strip =
        def:
        if def.value._type or "" == "order" then
          def // { value = def.value.content; inherit (def.value) priority; }
        else
          def;
    in
    builtins.sort (a: b: orderOf a < orderOf b) (map strip defs);

  # fixMergeModules :: [Module] -> AttrSet -> AttrSet
  # The old form of `evalModules`.
  #   (fixMergeModules [ { options.a = mkOption { default = 1; }; } ] { }).config => { a = 1; }
  fixMergeModules =
    modules: args:
    evalModules {
      inherit modules args;
      check = false;
    };

  # mkAliasDefinitions :: Option -> Property
  # The definitions of another option, as definitions of this one.
  #   mkAliasDefinitions { isDefined = false; definitions = [ ]; highestPrio = 100; } => mkIf false (mkOverride 100 (mkMerge [ ]))
  mkAliasDefinitions = mkAliasAndWrapDefinitions lib.id;

  # mkAliasAndWrapDefinitions :: (a -> b) -> Option -> Property
  # As `mkAliasDefinitions`, through a function.
  #   (mkAliasAndWrapDefinitions (x: 5) { isDefined = true; definitions = [ ]; highestPrio = 100; }).content => 5
  mkAliasAndWrapDefinitions =
    wrap: option: mkAliasIfDef option (wrap (mkOverride option.highestPrio (mkMerge option.definitions)));

  # mkAliasAndWrapDefsWithPriority :: (a -> b) -> Option -> Property
  # As `mkAliasAndWrapDefinitions`; every definition keeps the option's priority.
  #   (modules.mkAliasAndWrapDefsWithPriority id { isDefined = true; definitions = [ 1 ]; highestPrio = 60; }).condition => true
  mkAliasAndWrapDefsWithPriority =
    wrap: option:
    let
      prio = option.highestPrio or defaultOverridePriority;
    in
    mkAliasIfDef option (wrap (mkMerge (map (mkOverride prio) option.definitions)));

  # mkAliasIfDef :: Option -> a -> Property
  # A definition that counts only if another option is defined.
  #   modules.mkAliasIfDef { isDefined = true; } 1 => mkIf true 1
  mkAliasIfDef = option: mkIf (option.isDefined or false);

  # mkDerivedConfig :: Option -> (a -> AttrSet) -> Property
  # Definitions computed from each definition of another option, of the same priority.
  #   (mkDerivedConfig { isDefined = false; highestPrio = 100; definitions = [ ]; } id).content.priority => 100
  mkDerivedConfig =
    opt: f: mkAliasIfDef opt (mkOverride (opt.highestPrio or defaultOverridePriority) (mkMerge (map f opt.definitions)));

  # mkRemovedOptionModule :: [String] -> String -> Module
  # Says why an option is gone to whoever still sets it.
  #   (evalModules { modules = [ (mkRemovedOptionModule [ "a" ] "Use b.") { options.assertions = mkOption { }; } ]; }).config.assertions => [ { assertion = true; message = "The option definition `a' in  no longer has any effect; please remove it.\nUse b.\n"; } ]
  mkRemovedOptionModule =
    path: instructions:
    { options, ... }:
    {
      options = setAttrByPath path (mkOption {
        visible = false;
        apply =
          _: throw "The option `${showOption path}' can no longer be used since it's been removed. ${instructions}";
      });
      config.assertions =
        let
          opt = getAttrFromPath path options;
        in
        [
          {
            assertion = !opt.isDefined;
            message = ''
              The option definition `${showOption path}' in ${lib.showFiles opt.files} no longer has any effect; please remove it.
              ${instructions}
            '';
          }
        ];
    };

  # mkRenamedOptionModule :: [String] -> [String] -> Module
  # Sends the definitions of an old option to a new one, with a warning.
  #   (evalModules { modules = [ (mkRenamedOptionModule [ "a" ] [ "b" ]) { options.b = mkOption { }; options.warnings = mkOption { type = types.listOf types.str; }; config.a = 1; } ]; }).config.b => 1
  mkRenamedOptionModule =
    from: to:
    doRename {
      inherit from to;
      visible = false;
      warn = true;
      use = builtins.trace "Obsolete option `${showOption from}' is used. It was renamed to `${showOption to}'.";
    };

  # mkRenamedOptionModuleWith :: { from; to; sinceRelease; } -> Module
  # As `mkRenamedOptionModule`; warns only once the release is the oldest supported one.
  #   (evalModules { modules = [ (mkRenamedOptionModuleWith { from = [ "a" ]; to = [ "b" ]; sinceRelease = 9999; }) { options.b = mkOption { }; config.a = 1; } ]; }).config.b => 1
  mkRenamedOptionModuleWith =
    {
      from,
      to,
      sinceRelease,
    }:
    let
      due = lib.trivial.oldestSupportedReleaseIsAtLeast sinceRelease;
    in
    doRename {
      inherit from to;
      visible = false;
      warn = due;
      use = lib.warnIf due "Obsolete option `${showOption from}' is used. It was renamed to `${showOption to}'.";
    };

  # mkMergedOptionModule :: [[String]] -> [String] -> (AttrSet -> a) -> Module
  # Sends several old options to a new one through a function of the whole configuration.
  #   (evalModules { modules = [ (mkMergedOptionModule [ [ "a" ] [ "b" ] ] [ "c" ] (cfg: cfg.a + cfg.b)) { options.c = mkOption { }; options.warnings = mkOption { }; options.assertions = mkOption { }; config = { a = 1; b = 2; }; } ]; }).config.c => 3
  mkMergedOptionModule =
    from: to: mergeFn:
    { config, options, ... }:
    {
      options = lib.foldl' lib.recursiveUpdate { } (
        map (
          path:
          setAttrByPath path (mkOption {
            visible = false;
            # A value no definition can have: marks the option as not set.
            default = "_mkMergedOptionModule";
          })
        ) from
      );
      config =
        {
          warnings = builtins.filter (x: x != "") (
            map (
              f:
              let
                val = getAttrFromPath f config;
                opt = getAttrFromPath f options;
              in
              lib.optionalString (val != "_mkMergedOptionModule")
                "The option `${showOption f}' defined in ${lib.showFiles opt.files} has been changed to `${showOption to}' that has a different type. Please read `${showOption to}' documentation and update your configuration accordingly."
            ) from
          );
        }
        // setAttrByPath to (
          mkMerge (
            lib.optional (builtins.any (f: (getAttrFromPath f config) != "_mkMergedOptionModule") from) (mergeFn config)
          )
        );
    };

  # mkChangedOptionModule :: [String] -> [String] -> (AttrSet -> a) -> Module
  # Sends one old option to a new one through a function of the whole configuration.
  #   (evalModules { modules = [ (mkChangedOptionModule [ "a" ] [ "c" ] (cfg: cfg.a + 1)) { options.c = mkOption { }; options.warnings = mkOption { }; options.assertions = mkOption { }; config.a = 1; } ]; }).config.c => 2
  mkChangedOptionModule =
    from: to: changeFn:
    mkMergedOptionModule [ from ] to changeFn;

  # mkAliasOptionModule :: [String] -> [String] -> Module
  # A second name for an option, equally good.
  #   (evalModules { modules = [ (mkAliasOptionModule [ "a" ] [ "b" ]) { options.b = mkOption { }; config.a = 1; } ]; }).config => { a = 1; b = 1; }
  mkAliasOptionModule =
    from: to:
    doRename {
      inherit from to;
      visible = true;
      warn = false;
      use = lib.id;
    };

  # mkAliasOptionModuleMD is the old name of `mkAliasOptionModule`.
  mkAliasOptionModuleMD = mkAliasOptionModule;

  # doRename :: { from; to; visible; warn; use; withPriority ? true; condition ? true; … } -> Module
  # What the renaming modules have in common.
  #   (evalModules { modules = [ (doRename { from = [ "a" ]; to = [ "b" ]; visible = true; warn = false; use = id; }) { options.b = mkOption { }; config.a = 1; } ]; }).config.b => 1
  doRename =
    {
      from,
      to,
      visible,
      warn,
      use,
      withPriority ? true,
      condition ? true,
    }:
    { config, options, ... }:
    let
      fromOpt = getAttrFromPath from options;
      toOf = attrByPath to (abort "Renaming error: option `${showOption to}' does not exist.");
      toType =
        let
          opt = attrByPath to { } options;
        in
        opt.type or (types.submodule { });
    in
    {
      options = setAttrByPath from (
        mkOption {
          inherit visible;
          description = "Alias of {option}`${showOption to}`.";
          apply = x: use (toOf config);
        }
        // lib.optionalAttrs (toType != null) { type = toType; }
      );
      config = mkIf condition (mkMerge [
        (lib.optionalAttrs (options ? warnings) {
          warnings =
            lib.optional (warn && fromOpt.isDefined)
              "The option `${showOption from}' defined in ${lib.showFiles fromOpt.files} has been renamed to `${showOption to}'.";
        })
        (
          if withPriority then
            mkAliasAndWrapDefsWithPriority (setAttrByPath to) fromOpt
          else
            mkAliasAndWrapDefinitions (setAttrByPath to) fromOpt
        )
      ]);
    };
}
