# Generators: attribute sets written as configuration text. The programming-language-like
# formats are in generators/.
#
# What it is not: builders; the results are strings, and `formats.nix` makes files of them.
{ lib }:
let
  inherit (builtins)
    concatStringsSep
    isAttrs
    isBool
    isFloat
    isInt
    isList
    isPath
    isString
    ;
  inherit (lib) mapAttrsToList;

  # "key = value" lines of a section below its header.
  mkSection = mkSectionName: keyValues: name: section: ''
    [${mkSectionName name}]
  '' + keyValues section;
in
(import ./generators/pretty.nix { inherit lib; })
// (import ./generators/lua.nix { inherit lib; })
// (import ./generators/plist.nix { inherit lib; })
// (import ./generators/dhall.nix { inherit lib; })
// (import ./generators/toml.nix { inherit lib; })
// rec {
  # mkValueStringDefault :: AttrSet -> Any -> String
  # The usual text of a value in a key-value format; sets and functions have none.
  #   generators.mkValueStringDefault { } true => "true"
  #   generators.mkValueStringDefault { } 1.5 => "1.500000"
  #   fails (generators.mkValueStringDefault { } { }) => true
  mkValueStringDefault =
    { }:
    v:
    let
      reject = what: throw "generators.mkValueStringDefault: ${what} not supported: ${lib.generators.toPretty { } v}";
    in
    if isInt v then
      toString v
    else if lib.isDerivation v then
      toString v
    else if isString v then
      v
    else if isBool v then
      lib.boolToString v
    else if v == null then
      "null"
    else if isList v then
      reject "lists are"
    else if isAttrs v then
      reject "attribute sets are"
    else if lib.isFunction v then
      reject "functions are"
    else if isFloat v then
      lib.floatToString v
    else if isPath v then
      toString v
    else
      reject "this value is";

  # mkKeyValueDefault :: { mkValueString ? … } -> String -> String -> Any -> String
  # A key, a separator and a value; the separator is escaped in the key.
  #   generators.mkKeyValueDefault { } ":" "a:b" 1 => "a\\:b:1"
  mkKeyValueDefault =
    {
      mkValueString ? mkValueStringDefault { },
    }:
    sep: k: v:
    "${lib.escape [ sep ] k}${sep}${mkValueString v}";

  # toKeyValue :: { mkKeyValue ? …; listsAsDuplicateKeys ? false; indent ? ""; } -> AttrSet -> String
  # One line per attribute.
  #   generators.toKeyValue { } { a = 1; b = true; } => "a=1\nb=true\n"
  #   generators.toKeyValue { listsAsDuplicateKeys = true; } { a = [ 1 2 ]; } => "a=1\na=2\n"
  toKeyValue =
    {
      mkKeyValue ? mkKeyValueDefault { } "=",
      listsAsDuplicateKeys ? false,
      indent ? "",
    }:
    let
      mkLine = k: v: indent + mkKeyValue k v + "\n";
      mkLines =
        if listsAsDuplicateKeys then
          k: v: map (mkLine k) (if isList v then v else [ v ])
        else
          k: v: [ (mkLine k v) ];
    in
    attrs: lib.concatStrings (builtins.concatLists (mapAttrsToList mkLines attrs));

  # toINI :: { mkSectionName ? …; mkKeyValue ? …; listsAsDuplicateKeys ? false; } -> AttrSet -> String
  # Sections of key-value lines.
  #   generators.toINI { } { main = { a = 1; b = "x"; }; z.c = false; } => "[main]\na=1\nb=x\n\n[z]\nc=false\n"
  toINI =
    {
      mkSectionName ? (name: lib.escape [ "[" "]" ] name),
      mkKeyValue ? mkKeyValueDefault { } "=",
      listsAsDuplicateKeys ? false,
    }:
    attrsOfAttrs:
    concatStringsSep "\n" (
      mapAttrsToList (mkSection mkSectionName (toKeyValue {
        inherit mkKeyValue listsAsDuplicateKeys;
      })) attrsOfAttrs
    );

  # toINIWithGlobalSection :: { … } -> { globalSection; sections ? { }; } -> String
  # As `toINI`, after lines that belong to no section.
  #   generators.toINIWithGlobalSection { } { globalSection.a = 1; sections.s.b = 2; } => "a=1\n\n[s]\nb=2\n"
  toINIWithGlobalSection =
    {
      mkSectionName ? (name: lib.escape [ "[" "]" ] name),
      mkKeyValue ? mkKeyValueDefault { } "=",
      listsAsDuplicateKeys ? false,
    }:
    {
      globalSection,
      sections ? { },
    }:
    (
      if globalSection == { } then
        ""
      else
        toKeyValue { inherit mkKeyValue listsAsDuplicateKeys; } globalSection + "\n"
    )
    + toINI { inherit mkSectionName mkKeyValue listsAsDuplicateKeys; } sections;

  # mkDconfKeyValue :: String -> Any -> String
  # A line of a keyfile of dconf.
  #   generators.mkDconfKeyValue "idle" (gvariant.mkUint32 300) => "idle=uint32 300"
  mkDconfKeyValue = mkKeyValueDefault { mkValueString = v: toString (lib.gvariant.mkValue v); } "=";

  # toDconfINI :: AttrSet -> String
  # A keyfile of dconf.
  #   generators.toDconfINI { "org/x" = { a = true; b = [ "c" ]; }; } => "[org/x]\na=true\nb=@as ['c']\n"
  toDconfINI = toINI { mkKeyValue = mkDconfKeyValue; };

  # toGitINI :: AttrSet -> String
  # Git's dialect: nested sets become quoted subsections, lists repeated keys.
  #   generators.toGitINI { user.name = "a b"; url."x".insteadOf = [ "y" ]; } => "[url \"x\"]\n\tinsteadOf = \"y\"\n\n[user]\n\tname = \"a b\"\n"
  toGitINI =
    attrs:
    let
      mkSectionName =
        name:
        let
          parts = lib.splitString "." name;
          section = builtins.head parts;
          subsection = concatStringsSep "." (builtins.tail parts);
        in
        if builtins.match ".*\".*" name == null && builtins.length parts > 1 then
          "${section} \"${subsection}\""
        else
          name;
      mkValueString =
        v:
        let
          escaped = builtins.replaceStrings [ "\n" "\t" "\"" "\\" ] [ "\\n" "\\t" "\\\"" "\\\\" ];
        in
        mkValueStringDefault { } (if isString v then "\"${escaped v}\"" else v);
      mkKeyValue =
        k: v:
        let
          mkLine = v: "\t" + mkKeyValueDefault { inherit mkValueString; } " = " k v;
        in
        concatStringsSep "\n" (map mkLine (lib.toList v));
      # { a.b.c = 1; } becomes { "a.b".c = 1; }.
      flattened =
        let
          recurse =
            path: value:
            if isAttrs value && !lib.isDerivation value then
              mapAttrsToList (name: recurse ([ name ] ++ path)) value
            else if builtins.length path > 1 then
              {
                ${concatStringsSep "." (lib.reverseList (builtins.tail path))}.${builtins.head path} = value;
              }
            else
              { ${builtins.head path} = value; };
        in
        set: lib.foldl lib.recursiveUpdate { } (lib.flatten (recurse [ ] set));
    in
    toINI { inherit mkSectionName mkKeyValue; } (flattened attrs);

  # withRecursion :: { depthLimit; throwOnDepthLimit ? true; } -> AttrSet -> AttrSet
  # A value that can be printed although it refers to itself, cut at a depth.
  #   generators.withRecursion { depthLimit = 1; throwOnDepthLimit = false; } { a.b.c = 1; } => { a.b = "<unevaluated>"; }
  withRecursion =
    {
      depthLimit,
      throwOnDepthLimit ? true,
    }:
    assert builtins.isInt depthLimit;
    let
      special = [
        "__functor"
        "__functionArgs"
        "__toString"
        "__pretty"
      ];
      stepIntoAttr = evalNext: name: if builtins.elem name special then lib.id else evalNext;
      transform =
        depth:
        if depthLimit != null && depth > depthLimit then
          if throwOnDepthLimit then
            throw "generators.withRecursion: the value is nested deeper than ${toString depthLimit}"
          else
            lib.const "<unevaluated>"
        else
          lib.id;
      mapAny =
        depth: v:
        let
          evalNext = x: mapAny (depth + 1) (transform (depth + 1) x);
        in
        if isAttrs v then
          builtins.mapAttrs (stepIntoAttr evalNext) v
        else if isList v then
          map evalNext v
        else
          transform (depth + 1) v;
    in
    mapAny 0;

  # toJSON :: AttrSet -> Any -> String
  # JSON.
  #   generators.toJSON { } { a = [ 1 null ]; } => "{\"a\":[1,null]}"
  toJSON = { }: lib.strings.toJSON;

  # toYAML :: AttrSet -> Any -> String
  # YAML, of which JSON is a part.
  #   generators.toYAML { } { a = 1; } => "{\"a\":1}"
  toYAML = toJSON;
}
