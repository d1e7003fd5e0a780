# Escaping: strings made safe for shells, regular expressions, XML, URLs, C, Nix and systemd.
#
# What it is not: parsing; nothing here undoes an escape.
{ lib }:
let
  inherit (builtins)
    isString
    match
    replaceStrings
    stringLength
    toJSON
    ;
  inherit (lib.strings) concatMapStringsSep stringToCharacters;

  upperHex = n: lib.fixedWidthString 2 "0" (lib.toHexString n);
in
rec {
  # escape :: [String] -> String -> String
  # Puts a backslash before each of the given strings.
  #   escape [ "(" ")" ] "(foo)" => "\\(foo\\)"
  escape = list: replaceStrings list (map (c: "\\${c}") list);

  # escapeC :: [String] -> String -> String
  # Writes the given characters as C's hexadecimal escapes.
  #   escapeC [ " " ] "a b" => "a\\x20b"
  escapeC =
    list:
    replaceStrings list (map (c: "\\x${lib.toLower (upperHex lib.strings.asciiTable.${c})}") list);

  # escapeURL :: String -> String
  # Percent-encodes everything but RFC 3986's unreserved characters.
  #   escapeURL "a b/c" => "a%20b%2Fc"
  escapeURL =
    let
      unreserved = stringToCharacters "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
      reserved = builtins.removeAttrs lib.strings.asciiTable unreserved;
      encoded = lib.mapAttrsToList (char: code: "%${upperHex code}") reserved;
    in
    replaceStrings (builtins.attrNames reserved) encoded;

  # escapeShellArg :: String -> String
  # One word for a POSIX shell; left bare when nothing in it needs quotes.
  #   escapeShellArg "a b" => "'a b'"
  #   escapeShellArg "it's" => "'it'\\''s'"
  #   escapeShellArg "plain-1.0" => "plain-1.0"
  escapeShellArg =
    arg:
    let
      string = toString arg;
    in
    if match "[[:alnum:],._+:@%/-]+" string == null then
      "'${replaceStrings [ "'" ] [ "'\\''" ] string}'"
    else
      string;

  # escapeShellArgs :: [String] -> String
  # Words for a POSIX shell, separated by spaces.
  #   escapeShellArgs [ "one" "two three" ] => "one 'two three'"
  escapeShellArgs = concatMapStringsSep " " escapeShellArg;

  # isValidPosixName :: String -> Bool
  # Whether a string can name a shell variable.
  #   isValidPosixName "a_1" => true
  #   isValidPosixName "1a" => false
  isValidPosixName = name: match "[a-zA-Z_][a-zA-Z0-9_]*" name != null;

  # toShellVar :: String -> (String | [String] | AttrSet) -> String
  # A bash assignment; lists become arrays and sets associative arrays.
  #   toShellVar "a" "x y" => "a='x y'"
  #   toShellVar "a" [ "x" "y z" ] => "declare -a a=(x 'y z')"
  #   toShellVar "a" { k = "v"; } => "declare -A a=([k]=v)"
  toShellVar =
    name: value:
    lib.throwIfNot (isValidPosixName name) "toShellVar: ${name} is not a valid shell variable name" (
      if builtins.isAttrs value && !lib.strings.isStringLike value then
        "declare -A ${name}=(${
          lib.concatStringsSep " " (
            lib.mapAttrsToList (n: v: "[${escapeShellArg n}]=${escapeShellArg v}") value
          )
        })"
      else if builtins.isList value then
        "declare -a ${name}=(${escapeShellArgs value})"
      else
        "${name}=${escapeShellArg value}"
    );

  # toShellVars :: AttrSet -> String
  # One assignment per line.
  #   toShellVars { a = 1; b = "x"; } => "a=1\nb=x"
  toShellVars = vars: lib.concatStringsSep "\n" (lib.mapAttrsToList toShellVar vars);

  # escapeNixString :: String -> String
  # A string as a Nix literal.
  #   escapeNixString "a\${b}" => "\"a\\\${b}\""
  escapeNixString = s: escape [ "$" ] (toJSON s);

  # escapeRegex :: String -> String
  # A POSIX extended regular expression that matches the string itself.
  #   escapeRegex "[a.b]" => "\\[a\\.b]"
  escapeRegex = escape (stringToCharacters "\\[{()^$?*+|.");

  # escapeNixIdentifier :: String -> String
  # An attribute name as one writes it, in quotes if it needs them.
  #   escapeNixIdentifier "hello" => "hello"
  #   escapeNixIdentifier "0abc" => "\"0abc\""
  #   escapeNixIdentifier "if" => "\"if\""
  escapeNixIdentifier =
    s:
    if match "[a-zA-Z_][a-zA-Z0-9_'-]*" s != null && !(builtins.elem s keywords) then
      s
    else
      escapeNixString s;

  keywords = [
    "assert"
    "else"
    "if"
    "in"
    "inherit"
    "let"
    "or"
    "rec"
    "then"
    "with"
  ];

  # escapeXML :: String -> String
  # Replaces the five characters XML reserves.
  #   escapeXML "<a href=\"x\">" => "&lt;a href=&quot;x&quot;&gt;"
  escapeXML =
    replaceStrings
      [ "\"" "'" "<" ">" "&" ]
      [ "&quot;" "&apos;" "&lt;" "&gt;" "&amp;" ];

  # escapeSystemdPath :: String -> String
  # A path as systemd writes it in a unit's name.
  #   strings.escapeSystemdPath "/var/lib/a-b" => "var-lib-a\\x2db"
  #   strings.escapeSystemdPath "/" => "-"
  escapeSystemdPath =
    path:
    let
      parts = builtins.filter (p: isString p && p != "" && p != ".") (builtins.split "/" path);
      joined = lib.concatStringsSep "/" parts;
      escaped = replaceStrings [ "/" ] [ "-" ] (
        escapeC (stringToCharacters " !\"#$%&'()*+,-;<=>?@[\\]^`{|}~") joined
      );
    in
    if parts == [ ] then
      "-"
    else if lib.hasPrefix "." joined then
      "\\x2e${builtins.substring 1 (stringLength escaped) escaped}"
    else
      escaped;

  # escapeSystemdExecArg :: (String | Path | Int) -> String
  # One argument of an Exec line, with specifiers and variables disabled.
  #   escapeSystemdExecArg "50% of $X" => "\"50%% of $$X\""
  escapeSystemdExecArg =
    arg:
    let
      text =
        if lib.isStringLike arg then
          "${arg}"
        else if builtins.isInt arg || builtins.isFloat arg || lib.isDerivation arg then
          toString arg
        else
          throw "escapeSystemdExecArg: a string, a path, a number or a package was expected";
    in
    replaceStrings [ "%" "$" ] [ "%%" "$$" ] (toJSON text);

  # escapeSystemdExecArgs :: [String] -> String
  # An Exec line's arguments.
  #   escapeSystemdExecArgs [ "a" "b c" ] => "\"a\" \"b c\""
  escapeSystemdExecArgs = concatMapStringsSep " " escapeSystemdExecArg;

  # sanitizeDerivationName :: String -> String
  # A string made into a valid store path name.
  #   strings.sanitizeDerivationName "../hello.bar # foo" => "-hello.bar-foo"
  #   strings.sanitizeDerivationName "" => "unknown"
  sanitizeDerivationName =
    string:
    let
      text = builtins.unsafeDiscardStringContext (toString string);
      trimmed = builtins.elemAt (match "\\.*(.*)" text) 0;
      replaced = lib.concatMapStrings (s: if builtins.isList s then "-" else s) (
        builtins.split "[^[:alnum:]+._?=-]+" trimmed
      );
      length = stringLength replaced;
      short = builtins.substring (lib.max (length - 207) 0) (-1) replaced;
    in
    if length == 0 then "unknown" else short;

  # toSentenceCase :: String -> String
  # The first letter in upper case, the rest in lower case.
  #   toSentenceCase "hELLO" => "Hello"
  toSentenceCase =
    s:
    let
      length = stringLength s;
    in
    lib.toUpper (builtins.substring 0 1 s) + lib.toLower (builtins.substring 1 length s);

  # toCamelCase :: String -> String
  # Words separated by spaces, dashes or underscores, joined in camelCase.
  #   toCamelCase "hello-world again" => "helloWorldAgain"
  toCamelCase =
    s:
    let
      words = builtins.filter (w: isString w && w != "") (builtins.split "[^[:alnum:]]+" s);
      joined = lib.concatMapStrings (
        w: lib.toUpper (builtins.substring 0 1 w) + builtins.substring 1 (stringLength w) w
      ) words;
    in
    lib.toLower (builtins.substring 0 1 joined) + builtins.substring 1 (stringLength joined) joined;
}
