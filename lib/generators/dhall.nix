# Values as Dhall.
#
# What it is not: typed: an empty list is written without the type Dhall wants.
{ lib }:
rec {
  # toDhall :: AttrSet -> Any -> String
  # A value as a Dhall expression.
  #   generators.toDhall { } { a = [ 1 ]; b = true; } => "{ a = [+1], b = True }"
  toDhall =
    { }@args:
    v:
    if builtins.isAttrs v then
      "{ ${lib.concatStringsSep ", " (lib.mapAttrsToList (key: value: "${key} = ${toDhall args value}") v)} }"
    else if builtins.isList v then
      "[${lib.concatMapStringsSep ", " (toDhall args) v}]"
    else if builtins.isInt v then
      (if v < 0 then "" else "+") + toString v
    else if builtins.isBool v then
      (if v then "True" else "False")
    else if builtins.isFunction v then
      throw "generators.toDhall: a function has no form in Dhall"
    else if v == null then
      throw "generators.toDhall: null has no form in Dhall"
    else
      builtins.toJSON v;
}
