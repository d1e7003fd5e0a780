# Derivations: laziness and attributes that may be absent.
#
# What it is not: building; `derivation` is the builtin.
{ lib }:
{
  # lazyDerivation :: { derivation; meta ? …; passthru ? { }; outputs ? [ "out" ]; } -> Derivation
  # A derivation whose shape is known without evaluating it.
  #   (lazyDerivation { derivation = throw "forced"; }).type => "derivation"
  lazyDerivation =
    args@{
      derivation,
      meta ? null,
      passthru ? { },
      outputs ? [ "out" ],
    }:
    let
      checked =
        if derivation.type or null != "derivation" then
          throw "lazyDerivation: the value is no derivation"
        else if (derivation.outputs or [ "out" ]) != outputs then
          throw "lazyDerivation: the derivation's outputs differ from those announced"
        else
          derivation;
    in
    {
      type = "derivation";
      inherit outputs;
      inherit (checked)
        name
        system
        drvPath
        outPath
        outputName
        drvAttrs
        ;
      meta = args.meta or checked.meta or { };
    }
    // lib.genAttrs outputs (name: checked.${name})
    // passthru;

  # optionalDrvAttr :: Bool -> a -> (a | null)
  # A derivation's attribute, or null, which derivations drop.
  #   optionalDrvAttr false 1 => null
  optionalDrvAttr = cond: value: if cond then value else null;

  # warnOnInstantiate :: String -> Derivation -> Derivation
  # Warns once the derivation is used, and not when it is only looked at.
  #   (warnOnInstantiate "old" { type = "derivation"; name = "a"; }).name => "a"
  warnOnInstantiate =
    msg: drv:
    let
      kept = builtins.removeAttrs drv [
        "meta"
        "name"
        "type"
        "outputName"
      ];
    in
    drv // builtins.mapAttrs (_: lib.warn msg) kept;
}
