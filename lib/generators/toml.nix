# Values as TOML 1.0.
#
# What it is not: a formatter; tables come out in the order of their names, scalars first.
{ lib }:
let
  inherit (builtins) isAttrs isList;

  isTable = v: isAttrs v && !lib.isDerivation v && !(v ? __toString);
  isTableArray = v: isList v && v != [ ] && builtins.all isTable v;

  key = name: if builtins.match "[A-Za-z0-9_-]+" name != null then name else quote name;
  quote = s: builtins.toJSON "${s}";

  inline =
    v:
    if builtins.isBool v then
      lib.boolToString v
    else if builtins.isInt v then
      toString v
    else if builtins.isFloat v then
      builtins.toJSON v
    else if isList v then
      "[${lib.concatMapStringsSep ", " inline v}]"
    else if isTable v then
      "{ ${lib.concatStringsSep ", " (lib.mapAttrsToList (n: x: "${key n} = ${inline x}") (present v))} }"
    else if lib.isStringLike v then
      quote v
    else
      throw "generators.toTOML: a ${builtins.typeOf v} has no form in TOML";

  present = lib.filterAttrs (_: v: v != null);

  # The lines of a table below its header; a table of tables only needs no header of its own.
  table =
    path: attrs:
    let
      all = present attrs;
      scalars = lib.filterAttrs (_: v: !isTable v && !isTableArray v) all;
      tables = lib.filterAttrs (_: isTable) all;
      arrays = lib.filterAttrs (_: isTableArray) all;
      lines = lib.mapAttrsToList (n: v: "${key n} = ${inline v}\n") scalars;
      header = lib.optionalString (path != [ ] && (scalars != { } || all == { })) "[${name path}]\n";
    in
    [ (header + lib.concatStrings lines) ]
    ++ builtins.concatLists (lib.mapAttrsToList (n: table (path ++ [ n ])) tables)
    ++ builtins.concatLists (
      lib.mapAttrsToList (n: builtins.concatMap (element (path ++ [ n ]))) arrays
    );

  element =
    path: attrs:
    let
      body = table path attrs;
      own = builtins.head body;
    in
    [ ("[[${name path}]]\n" + lib.removePrefix "[${name path}]\n" own) ] ++ builtins.tail body;

  name = lib.concatMapStringsSep "." key;
in
{
  # toTOML :: AttrSet -> AttrSet -> String
  # A TOML document; attributes that are null are left out.
  #   generators.toTOML { } { a = 1; t.b = "x"; l = [ { c = true; } ]; } => "a = 1\n\n[t]\nb = \"x\"\n\n[[l]]\nc = true\n"
  #   fromTOML (generators.toTOML { } { a.b.c = [ 1 2 ]; x = 1.5; }) => { a.b.c = [ 1 2 ]; x = 1.5; }
  toTOML = { }: attrs: lib.concatStringsSep "\n" (builtins.filter (s: s != "") (table [ ] attrs));
}
