# Command lines made from attribute sets.
#
# What it is not: a parser of arguments.
{ lib }:
rec {
  # toGNUCommandLineShell :: AttrSet -> AttrSet -> String
  # GNU-style options, escaped for a shell.
  #   cli.toGNUCommandLineShell { } { v = true; url = "a b"; } => "--url 'a b' -v"
  toGNUCommandLineShell = options: attrs: lib.escapeShellArgs (toGNUCommandLine options attrs);

  # toGNUCommandLine :: { mkOptionName ? …; mkBool ? …; mkList ? …; mkOption ? …; optionValueSeparator ? null; } -> AttrSet -> [String]
  # GNU-style options as a list of words.
  #   cli.toGNUCommandLine { } { X = "PUT"; data = null; retry = 3; url = [ "a" "b" ]; verbose = true; q = false; } => [ "-X" "PUT" "--retry" "3" "--url" "a" "--url" "b" "--verbose" ]
  #   cli.toGNUCommandLine { optionValueSeparator = "="; } { retry = 3; } => [ "--retry=3" ]
  toGNUCommandLine =
    {
      mkOptionName ? k: if builtins.stringLength k == 1 then "-${k}" else "--${k}",
      mkBool ? k: v: lib.optional v (mkOptionName k),
      mkList ? k: v: builtins.concatMap (mkOption k) v,
      mkOption ?
        k: v:
        if v == null then
          [ ]
        else if optionValueSeparator == null then
          [
            (mkOptionName k)
            (lib.generators.mkValueStringDefault { } v)
          ]
        else
          [ "${mkOptionName k}${optionValueSeparator}${lib.generators.mkValueStringDefault { } v}" ],
      optionValueSeparator ? null,
    }:
    options:
    let
      render =
        k: v:
        if builtins.isBool v then
          mkBool k v
        else if builtins.isList v then
          mkList k v
        else
          mkOption k v;
    in
    builtins.concatLists (lib.mapAttrsToList render options);

  # toCommandLineShellGNU :: AttrSet -> AttrSet -> String
  # Options as `--name=value` and `-n value`, escaped for a shell.
  #   cli.toCommandLineShellGNU { } { v = true; url = "a b"; } => "'--url=a b' -v"
  toCommandLineShellGNU = options: attrs: lib.escapeShellArgs (toCommandLineGNU options attrs);

  # toCommandLineGNU :: { isLong ? …; explicitBool ? false; formatArg ? …; } -> AttrSet -> [String]
  # Long options joined with "=", short ones as two words.
  #   cli.toCommandLineGNU { } { a = 1; bc = 2; d = [ 3 4 ]; } => [ "-a" "1" "--bc=2" "-d" "3" "-d" "4" ]
  toCommandLineGNU =
    {
      isLong ? name: builtins.stringLength name > 1,
      explicitBool ? false,
      formatArg ? lib.generators.mkValueStringDefault { },
    }:
    let
      optionFormat =
        name:
        if isLong name then
          {
            option = "--${name}";
            sep = "=";
            inherit explicitBool formatArg;
          }
        else
          {
            option = "-${name}";
            sep = null;
            inherit explicitBool formatArg;
          };
    in
    toCommandLine optionFormat;

  # toCommandLine :: (String -> { option; sep; explicitBool; formatArg ? …; }) -> AttrSet -> [String]
  # Words in a format chosen per option: `sep` null makes two words.
  #   cli.toCommandLine (n: { option = "-${n}"; sep = " "; explicitBool = false; }) { a = 1; b = false; } => [ "-a 1" ]
  toCommandLine =
    optionFormat: attrs:
    let
      render =
        name: value:
        let
          format = optionFormat name;
          show = format.formatArg or (lib.generators.mkValueStringDefault { });
          withValue =
            v:
            if format.sep == null then
              [
                format.option
                (show v)
              ]
            else
              [ "${format.option}${format.sep}${show v}" ];
        in
        if value == null then
          [ ]
        else if builtins.isBool value && !format.explicitBool then
          lib.optional value format.option
        else if builtins.isList value then
          builtins.concatMap withValue value
        else
          withValue value;
    in
    builtins.concatLists (lib.mapAttrsToList render attrs);
}
