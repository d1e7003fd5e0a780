# Overriding: functions and derivations that can be called again with other arguments.
#
# What it is not: the package set itself; that is pkgs/.
{ lib }:
let
  inherit (builtins)
    attrNames
    head
    intersectAttrs
    isAttrs
    ;
in
rec {
  # overrideDerivation :: Derivation -> (AttrSet -> AttrSet) -> Derivation
  # A derivation with changed arguments to `derivation`.
  #   (customisation.overrideDerivation (derivation { name = "d"; system = "s"; builder = "b"; }) (old: { name = old.name + "2"; })).name => "d2"
  overrideDerivation =
    drv: f:
    let
      newDrv = derivation (drv.drvAttrs // f drv);
    in
    lib.flip (extendDerivation (builtins.seq drv.drvPath true)) newDrv (
      {
        meta = drv.meta or { };
        passthru = drv.passthru or { };
      }
      // (drv.passthru or { })
      // lib.optionalAttrs (drv ? __spliced) {
        __spliced = { } // builtins.mapAttrs (_: s: overrideDerivation s f) drv.__spliced;
      }
    );

  # makeOverridable :: (AttrSet -> a) -> AttrSet -> a
  # The function's result, with `override` to call it again with changed arguments.
  #   ((makeOverridable ({ a, b }: { s = a + b; }) { a = 1; b = 2; }).override { a = 5; }).s => 7
  #   ((makeOverridable ({ a }: { s = a; }) { a = 1; }).override (old: { a = old.a + 1; })).s => 2
  makeOverridable =
    f:
    let
      mirror = lib.mirrorFunctionArgs f;
    in
    mirror (
      origArgs:
      let
        result = f origArgs;
        changedBy = newArgs: origArgs // (if lib.isFunction newArgs then newArgs origArgs else newArgs);
        overrideArgs = mirror (newArgs: makeOverridable f (changedBy newArgs));
        # The same function, its result passed on to g, still overridable.
        overrideResult = g: makeOverridable (mirror (args: g (f args))) origArgs;
      in
      if isAttrs result then
        result
        // {
          override = overrideArgs;
          overrideDerivation = fdrv: overrideResult (x: overrideDerivation x fdrv);
          ${if result ? overrideAttrs then "overrideAttrs" else null} =
            fdrv: overrideResult (x: x.overrideAttrs fdrv);
        }
      else if lib.isFunction result then
        lib.setFunctionArgs result (lib.functionArgs result) // { override = overrideArgs; }
      else
        result
    );

  # callPackageWith :: AttrSet -> (Path | Function) -> AttrSet -> a
  # Calls a function with the arguments it names, from a set and from explicit ones; overridable.
  #   (callPackageWith { a = 1; b = 2; } ({ a, b }: { s = a + b; }) { b = 5; }).s => 6
  callPackageWith =
    autoArgs: fn: args:
    let
      f = if lib.isFunction fn then fn else import fn;
      fargs = lib.functionArgs f;
      allArgs = intersectAttrs fargs autoArgs // args;
      missing = attrNames (lib.filterAttrs (name: hasDefault: !hasDefault && !(allArgs ? ${name})) fargs);
      near =
        arg:
        lib.take 3 (
          lib.sortOn (lib.strings.levenshtein arg) (
            builtins.filter (lib.strings.levenshteinAtMost 2 arg) (attrNames (autoArgs // args))
          )
        );
      position = builtins.unsafeGetAttrPos (head missing) fargs;
      place =
        if position != null then
          " at ${position.file}:${toString position.line}"
        else if !lib.isFunction fn then
          " at ${toString fn}"
        else
          "";
      hint =
        let
          names = near (head missing);
        in
        lib.optionalString (names != [ ]) ", did you mean ${lib.concatMapStringsSep " or " (n: "`${n}`") names}?";
    in
    if missing == [ ] then
      makeOverridable f allArgs
    else
      abort "callPackageWith: the function${place} is called without its argument `${head missing}`${hint}";

  # callPackagesWith :: AttrSet -> (Path | Function) -> AttrSet -> AttrSet
  # As `callPackageWith`, for a function that returns a set of packages, each overridable.
  #   ((callPackagesWith { a = 1; } ({ a }: { x = { v = a; }; }) { }).x.override { a = 2; }).v => 2
  callPackagesWith =
    autoArgs: fn: args:
    let
      f = if lib.isFunction fn then fn else import fn;
      auto = intersectAttrs (lib.functionArgs f) autoArgs;
      mirror = lib.mirrorFunctionArgs f;
      origArgs = auto // args;
      pkgs = f origArgs;
      mkAttrOverridable = name: _: makeOverridable (mirror (newArgs: (f newArgs).${name})) origArgs;
    in
    if lib.isDerivation pkgs then
      throw "callPackagesWith: the function returned one derivation; use callPackageWith"
    else
      builtins.mapAttrs mkAttrOverridable pkgs;

  # extendDerivation :: Bool -> AttrSet -> Derivation -> Derivation
  # Adds attributes to a derivation and its outputs; the condition is checked when it is built.
  #   (customisation.extendDerivation true { extra = 1; } (derivation { name = "d"; system = "s"; builder = "b"; })).out.extra => 1
  extendDerivation =
    condition: passthru: drv:
    let
      outputs = drv.outputs or [ "out" ];
      common =
        drv // builtins.listToAttrs outputsList // { all = map (x: x.value) outputsList; } // passthru;
      outputsList = map (outputName: {
        name = outputName;
        value =
          common
          // {
            inherit (drv.${outputName}) type outputName;
            outputSpecified = true;
            drvPath =
              assert condition;
              drv.${outputName}.drvPath;
            outPath =
              assert condition;
              drv.${outputName}.outPath;
          }
          // passthru;
      }) outputs;
    in
    common
    // {
      drvPath =
        assert condition;
        drv.drvPath;
      outPath =
        assert condition;
        drv.outPath;
    };

  # hydraJob :: Derivation -> Derivation
  # A derivation reduced to what a build farm reads.
  #   hydraJob null => null
  hydraJob =
    drv:
    if drv == null then
      null
    else
      let
        outputs = drv.outputs or [ "out" ];
        common = {
          inherit (drv) name system meta;
          inherit outputs;
        } // builtins.listToAttrs outputsList;
        makeOutput = outputName: {
          name = outputName;
          value = common // {
            inherit (drv.${outputName}) outPath drvPath type;
            inherit outputName;
          };
        };
        outputsList = map makeOutput outputs;
      in
      builtins.deepSeq (head outputsList).value.outPath (head outputsList).value;

  # makeScope :: (AttrSet -> Function -> a) -> (AttrSet -> AttrSet) -> AttrSet
  # A set of packages with a `callPackage` of its own, `overrideScope` and `packages`.
  #   (makeScope callPackageWith (self: { a = 1; b = self.callPackage ({ a }: { v = a; }) { }; })).b.v => 1
  makeScope =
    newScope: f:
    let
      self = f self // {
        newScope = scope: newScope (self // scope);
        callPackage = self.newScope { };
        overrideScope = g: makeScope newScope (lib.extends g f);
        packages = f;
      };
    in
    self;

  # makeScopeWithSplicing' :: { … } -> { … } -> AttrSet
  # `makeScope` under the splicing interface; without cross package sets there is nothing to splice.
  #   (customisation.makeScopeWithSplicing' { splicePackages = s: s.selfPackages; newScope = s: f: a: f (s // a); } { otherSplices = { }; f = self: { a = 1; b = self.a; }; }).b => 1
  makeScopeWithSplicing' =
    {
      splicePackages,
      newScope,
    }:
    {
      otherSplices,
      keep ? _: { },
      extra ? _: { },
      f,
    }:
    let
      spliced = splicePackages (otherSplices // { selfPackages = self; });
      self = f self // {
        newScope = scope: newScope (extra spliced // self // keep self // scope);
        callPackage = self.newScope { };
        overrideScope =
          g:
          makeScopeWithSplicing' { inherit splicePackages newScope; } {
            inherit otherSplices keep extra;
            f = lib.extends g f;
          };
        packages = f;
      };
    in
    self;

  # mapCrossIndex :: (a -> b) -> AttrSet -> AttrSet
  # Maps the six package sets of a cross build.
  #   (customisation.mapCrossIndex (x: x + 1) { buildBuild = 1; buildHost = 1; buildTarget = 1; hostHost = 1; hostTarget = 1; targetTarget = 1; }).hostHost => 2
  mapCrossIndex = f: builtins.mapAttrs (_: f);

  # extendMkDerivation :: { constructDrv; extendDrvArgs; … } -> (AttrSet -> Derivation)
  # A build function on top of another whose arguments may be a function of the final ones.
  #   (extendMkDerivation { constructDrv = f: lib.fix (toFunction f); extendDrvArgs = final: args: { b = args.a; }; } { a = 1; }).b => 1
  extendMkDerivation =
    {
      constructDrv,
      excludeDrvArgNames ? [ ],
      excludeFunctionArgNames ? [ ],
      extendDrvArgs,
      inheritFunctionArgs ? true,
      transformDrv ? lib.id,
    }:
    let
      build =
        fpargs:
        transformDrv (
          constructDrv (
            lib.extends (final: args: builtins.removeAttrs args excludeDrvArgNames // extendDrvArgs final args) (
              lib.toFunction fpargs
            )
          )
        );
      inherited = if inheritFunctionArgs then lib.functionArgs constructDrv else { };
    in
    lib.setFunctionArgs build (
      builtins.removeAttrs (inherited // lib.functionArgs (extendDrvArgs { })) excludeFunctionArgNames
    );
}
