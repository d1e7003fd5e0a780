# Values as Lua tables and assignments.
#
# What it is not: a Lua interpreter; inline code passes through unchecked.
{ lib }:
let
  inherit (builtins) concatStringsSep isAttrs isList;
in
rec {
  # toLua :: { multiline ? true; indent ? ""; asBindings ? false; } -> Any -> String
  # A value as Lua; with `asBindings`, a set as global assignments.
  #   generators.toLua { } { a = [ 1 true ]; } => "{\n  [\"a\"] = {\n    1,\n    true\n  }\n}"
  #   generators.toLua { asBindings = true; } { a = 1; } => "a = 1\n"
  #   generators.toLua { multiline = false; } [ null (generators.mkLuaInline "f()") ] => "{ nil, (f()) }"
  toLua =
    {
      multiline ? true,
      indent ? "",
      asBindings ? false,
    }@args:
    v:
    let
      innerIndent = "${indent}  ";
      introSpace = if multiline then "\n${innerIndent}" else " ";
      outroSpace = if multiline then "\n${indent}" else " ";
      innerArgs = args // {
        indent = if asBindings then indent else innerIndent;
        asBindings = false;
      };
      concatItems = concatStringsSep ",${introSpace}";
      isInline = (v._type or null) == "lua-inline";
      bindings = lib.concatMapStrings (
        key:
        if !isBindingName key then
          throw "generators.toLua: `${key}` is not a valid Lua identifier"
        else
          "${indent}${key} = ${toLua innerArgs v.${key}}\n"
      ) (builtins.attrNames v);
    in
    if asBindings then
      bindings
    else if v == null then
      "nil"
    else if builtins.isInt v || builtins.isFloat v || builtins.isString v || builtins.isBool v then
      builtins.toJSON v
    else if builtins.isPath v || lib.isDerivation v then
      builtins.toJSON "${v}"
    else if isList v then
      if v == [ ] then
        "{}"
      else
        "{${introSpace}${concatItems (map (toLua innerArgs) v)}${outroSpace}}"
    else if isAttrs v then
      if isInline then
        "(${v.expr})"
      else if v == { } then
        "{}"
      else
        "{${introSpace}${
          concatItems (
            lib.mapAttrsToList (key: value: "[${builtins.toJSON key}] = ${toLua innerArgs value}") v
          )
        }${outroSpace}}"
    else
      throw "generators.toLua: a ${builtins.typeOf v} has no form in Lua";

  # mkLuaInline :: String -> AttrSet
  # Code that `toLua` writes as it is.
  #   generators.mkLuaInline "f()" => { _type = "lua-inline"; expr = "f()"; }
  mkLuaInline = expr: {
    _type = "lua-inline";
    inherit expr;
  };

  isBindingName =
    key: builtins.match "[[:alpha:]_][[:alnum:]_]*(\\.[[:alpha:]_][[:alnum:]_]*)*" key != null && !(builtins.elem key reserved);

  reserved = [
    "and" "break" "do" "else" "elseif" "end" "false" "for" "function" "goto" "if" "in"
    "local" "nil" "not" "or" "repeat" "return" "then" "true" "until" "while"
  ];
}
