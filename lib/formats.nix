# File formats for `settings` options: a type for the values and a function that makes the file.
#
# `lib.formats { inherit pkgs; }` is what the package set offers as `pkgs.formats`.
# What it is not: validation by the programs that read the files.
#
# In the examples `asText` is these formats with a package set whose files are their texts.
{ lib }:
let
  inherit (lib) generators types;
  inherit (types)
    attrsOf
    bool
    float
    int
    listOf
    nullOr
    oneOf
    path
    str
    ;

  # Nested values of the given scalar types.
  valueOf =
    description: scalars:
    let
      value =
        nullOr (oneOf (scalars ++ [ (attrsOf value) (listOf value) ]))
        // { inherit description; };
    in
    value;

  jsonLike = valueOf "JSON value" [ bool int float str path ];
  iniAtom = nullOr (oneOf [ bool int float str ]) // {
    description = "INI atom (null, bool, int, float or string)";
  };
  iniAtomOrList =
    listsAsDuplicateKeys:
    if listsAsDuplicateKeys then
      types.coercedTo iniAtom lib.singleton (listOf iniAtom) // {
        description = iniAtom.description + " or a list of them for duplicate keys";
      }
    else
      iniAtom;
in
{ pkgs }:
let
  file = name: text: pkgs.writeText name text;
in
rec {
  # json :: { } -> { type; generate; }
  # JSON.
  #   (asText.json { }).generate "f" { a = [ 1 null ]; } => "{\"a\":[1,null]}"
  #   (asText.json { }).type.description => "JSON value"
  json =
    { }:
    {
      type = jsonLike;
      generate = name: value: file name (builtins.toJSON value);
    };

  # yaml :: { } -> { type; generate; }
  # JSON is YAML.
  #   (asText.yaml { }).generate "f" { a = true; } => "{\"a\":true}"
  yaml =
    { }:
    {
      type = jsonLike // { description = "YAML value"; };
      generate = name: value: file name (generators.toYAML { } value);
    };
  yaml_1_1 = yaml;
  yaml_1_2 = yaml;

  # toml :: { } -> { type; generate; }
  # TOML, which has no null.
  #   (asText.toml { }).generate "f" { a = 1; t.b = "x"; } => "a = 1\n\n[t]\nb = \"x\"\n"
  toml =
    { }:
    {
      type = valueOf "TOML value" [ bool int float str path ];
      generate = name: value: file name (generators.toTOML { } value);
    };

  # ini :: { listsAsDuplicateKeys ? false; listToValue ? null; … } -> { type; lib; generate; }
  # Remaining arguments go to `generators.toINI`.
  #   (asText.ini { }).generate "f" { s.a = 1; } => "[s]\na=1\n"
  #   (asText.ini { listsAsDuplicateKeys = true; }).generate "f" { s.a = [ 1 2 ]; } => "[s]\na=1\na=2\n"
  ini =
    {
      listsAsDuplicateKeys ? false,
      listToValue ? null,
      ...
    }@args:
    {
      type = attrsOf (attrsOf (if listToValue != null then iniAtomOrList true else iniAtomOrList listsAsDuplicateKeys));
      lib.types.atom = iniAtom;
      generate =
        name: value:
        file name (
          generators.toINI (builtins.removeAttrs args [ "listToValue" ]) (
            builtins.mapAttrs (_: joinLists listToValue) value
          )
        );
    };

  # iniWithGlobalSection :: { … } -> { type; generate; }
  # As `ini`, with lines before the first section.
  #   (asText.iniWithGlobalSection { }).generate "f" { globalSection.g = 0; sections.s.a = 1; } => "g=0\n\n[s]\na=1\n"
  iniWithGlobalSection =
    {
      listsAsDuplicateKeys ? false,
      listToValue ? null,
      ...
    }@args:
    let
      atom = if listToValue != null then iniAtomOrList true else iniAtomOrList listsAsDuplicateKeys;
    in
    {
      type = types.submodule {
        options.sections = lib.mkOption {
          type = attrsOf (attrsOf atom);
          default = { };
          description = "Sections of the file.";
        };
        options.globalSection = lib.mkOption {
          type = attrsOf atom;
          default = { };
          description = "Lines before the first section.";
        };
      };
      generate =
        name:
        {
          sections ? { },
          globalSection ? { },
        }:
        file name (
          generators.toINIWithGlobalSection (builtins.removeAttrs args [ "listToValue" ]) {
            globalSection = joinLists listToValue globalSection;
            sections = builtins.mapAttrs (_: joinLists listToValue) sections;
          }
        );
    };

  # gitIni :: { listsAsDuplicateKeys ? false; … } -> { type; generate; }
  # Git's own configuration.
  #   (asText.gitIni { }).generate "f" { user.name = "a"; } => "[user]\n\tname = \"a\"\n"
  gitIni =
    {
      listsAsDuplicateKeys ? false,
      ...
    }:
    let
      atom = iniAtomOrList listsAsDuplicateKeys;
    in
    {
      type = attrsOf (attrsOf (types.either atom (attrsOf atom)));
      generate = name: value: file name (generators.toGitINI value);
    };

  # keyValue :: { listsAsDuplicateKeys ? false; listToValue ? null; … } -> { type; generate; }
  # Remaining arguments go to `generators.toKeyValue`.
  #   (asText.keyValue { }).generate "f" { a = 1; b = true; } => "a=1\nb=true\n"
  keyValue =
    {
      listsAsDuplicateKeys ? false,
      listToValue ? null,
      ...
    }@args:
    {
      type = attrsOf (if listToValue != null then iniAtomOrList true else iniAtomOrList listsAsDuplicateKeys);
      generate =
        name: value:
        file name (
          generators.toKeyValue (builtins.removeAttrs args [ "listToValue" ]) (joinLists listToValue value)
        );
    };

  # systemd :: { type; generate; }
  # Unit-like files: INI with repeated keys.
  #   asText.systemd.generate "f" { Unit.After = [ "a" "b" ]; } => "[Unit]\nAfter=a\nAfter=b\n"
  systemd = ini { listsAsDuplicateKeys = true; };

  # lua :: { asBindings ? false; multiline ? true; } -> { type; generate; lib; }
  # A Lua expression that is returned, or bindings.
  #   (asText.lua { multiline = false; }).generate "f" [ 1 true ] => "return { 1, true }"
  lua =
    {
      asBindings ? false,
      multiline ? true,
      columnWidth ? 100,
    }:
    {
      type = (if asBindings then attrsOf else lib.id) (
        nullOr (oneOf [ bool float int path str types.luaInline (attrsOf jsonLike) (listOf jsonLike) ])
      );
      lib.mkRaw = generators.mkLuaInline;
      generate =
        name: value:
        file name (
          lib.optionalString (!asBindings) "return " + generators.toLua { inherit asBindings multiline; } value
        );
    };

  # javaProperties :: { comment ? …; boolToString ? …; } -> { type; generate; }
  # Properties of Java.
  #   (asText.javaProperties { comment = "c"; }).generate "f" { a = "b=c"; } => "# c\n\na=b\\=c\n"
  javaProperties =
    {
      comment ? "Generated by Esker",
      boolToString ? lib.boolToString,
    }:
    let
      escape = builtins.replaceStrings [ "\\" "\n" "=" ":" ] [ "\\\\" "\\n" "\\=" "\\:" ];
    in
    {
      type = attrsOf (types.coercedTo bool boolToString (types.coercedTo (types.either int float) toString str));
      generate =
        name: value:
        file name (
          "# ${comment}\n\n"
          + lib.concatStrings (lib.mapAttrsToList (k: v: "${escape k}=${escape v}\n") value)
        );
    };

  # pythonVars :: { } -> { type; lib; generate; }
  # Assignments of Python.
  #   (asText.pythonVars { }).generate "f" { a = [ true null ]; } => "a = [True, None]\n"
  pythonVars =
    { }:
    let
      show =
        v:
        if v == null then
          "None"
        else if builtins.isBool v then
          (if v then "True" else "False")
        else if builtins.isList v then
          "[${lib.concatMapStringsSep ", " show v}]"
        else if (v._type or null) == "raw" then
          v.value
        else if builtins.isAttrs v then
          "{${lib.concatStringsSep ", " (lib.mapAttrsToList (k: x: "${builtins.toJSON k}: ${show x}") v)}}"
        else
          builtins.toJSON v;
    in
    {
      type = attrsOf (valueOf "Python value" [ bool float int path str ]);
      lib.mkRaw = value: {
        _type = "raw";
        inherit value;
      };
      generate =
        name: value:
        file name (lib.concatStrings (lib.mapAttrsToList (k: v: "${k} = ${show v}\n") value));
    };

  # Lists within a section as one value each, when a function for that is given.
  joinLists =
    listToValue: section:
    if listToValue == null then
      section
    else
      builtins.mapAttrs (_: v: if builtins.isList v then listToValue v else v) section;
}
