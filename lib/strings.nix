# Strings: joining, splitting, searching, case, numbers. Escapes are in strings/escape.nix.
#
# What it is not: Unicode; lengths and cases are those of bytes and ASCII letters.
{ lib }:
let
  inherit (builtins)
    elem
    elemAt
    filter
    genList
    head
    isList
    isString
    length
    match
    replaceStrings
    split
    stringLength
    substring
    ;

  lower = stringToCharacters "abcdefghijklmnopqrstuvwxyz";
  upper = stringToCharacters "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  stringToCharacters = s: genList (p: substring p 1 s) (stringLength s);
in
(import ./strings/escape.nix { inherit lib; })
// rec {
  # Builtins that are part of this file's interface.
  inherit (builtins)
    compareVersions
    elem
    elemAt
    filter
    fromJSON
    genList
    head
    isInt
    isList
    isAttrs
    isPath
    isString
    match
    parseDrvName
    readFile
    replaceStrings
    split
    storeDir
    stringLength
    substring
    tail
    toJSON
    typeOf
    unsafeDiscardStringContext
    ;

  # join :: String -> [String] -> String
  # Another name of `concatStringsSep`.
  #   strings.join ", " [ "a" "b" ] => "a, b"
  join = builtins.concatStringsSep;

  # concatStrings :: [String] -> String
  # Joins a list of strings.
  #   concatStrings [ "a" "b" ] => "ab"
  concatStrings = builtins.concatStringsSep "";

  # concatMapStrings :: (a -> String) -> [a] -> String
  # Maps and joins.
  #   concatMapStrings (x: "a${x}") [ "1" "2" ] => "a1a2"
  concatMapStrings = f: list: concatStrings (map f list);

  # concatImapStrings :: (Int -> a -> String) -> [a] -> String
  # As `concatMapStrings`, with the position from 1.
  #   concatImapStrings (i: x: "${toString i}${x}") [ "a" "b" ] => "1a2b"
  concatImapStrings = f: list: concatStrings (lib.imap1 f list);

  # intersperse :: a -> [a] -> [a]
  # Puts an element between all others.
  #   intersperse "/" [ "a" "b" ] => [ "a" "/" "b" ]
  intersperse =
    separator: list:
    if list == [ ] || length list == 1 then
      list
    else
      builtins.tail (
        builtins.concatMap (x: [
          separator
          x
        ]) list
      );

  # concatStringsSep :: String -> [String] -> String
  # Joins with a separator.
  #   concatStringsSep "/" [ "usr" "bin" ] => "usr/bin"
  concatStringsSep = builtins.concatStringsSep;

  # concatMapStringsSep :: String -> (a -> String) -> [a] -> String
  # Maps and joins with a separator.
  #   concatMapStringsSep "-" toUpper [ "a" "b" ] => "A-B"
  concatMapStringsSep =
    sep: f: list:
    builtins.concatStringsSep sep (map f list);

  # concatImapStringsSep :: String -> (Int -> a -> String) -> [a] -> String
  # As `concatMapStringsSep`, with the position from 1.
  #   concatImapStringsSep "-" (i: x: toString (x / i)) [ 6 6 6 ] => "6-3-2"
  concatImapStringsSep =
    sep: f: list:
    builtins.concatStringsSep sep (lib.imap1 f list);

  # concatMapAttrsStringSep :: String -> (String -> a -> String) -> AttrSet -> String
  # Maps names and values to strings and joins them.
  #   concatMapAttrsStringSep "\n" (n: v: "${n}=${v}") { a = "1"; b = "2"; } => "a=1\nb=2"
  concatMapAttrsStringSep =
    sep: f: attrs:
    builtins.concatStringsSep sep (lib.mapAttrsToList f attrs);

  # concatLines :: [String] -> String
  # Lines, each ended by a newline.
  #   concatLines [ "a" "b" ] => "a\nb\n"
  concatLines = concatMapStrings (s: s + "\n");

  # replicate :: Int -> String -> String
  # A string n times.
  #   strings.replicate 3 "v" => "vvv"
  replicate = n: s: concatStrings (lib.lists.replicate n s);

  # trim :: String -> String
  # Without white space at both ends.
  #   trim "  a b " => "a b"
  trim = trimWith {
    start = true;
    end = true;
  };

  # trimWith :: { start ? false; end ? false; } -> String -> String
  # Without white space (space, tab, newline, carriage return) at the chosen ends.
  #   trimWith { start = true; } "  a " => "a "
  trimWith =
    {
      start ? false,
      end ? false,
    }:
    s:
    let
      white = " \t\n\r";
      pattern =
        if start && end then
          "[${white}]*(.*[^${white}])[${white}]*"
        else if start then
          "[${white}]*(.*)"
        else if end then
          "(.*[^${white}])[${white}]*"
        else
          "(.*)";
      found = match pattern s;
    in
    if found == null then "" else head found;

  # makeSearchPath :: String -> [Path] -> String
  # The same folder below each path, separated by colons.
  #   makeSearchPath "bin" [ "/usr" "/opt" ] => "/usr/bin:/opt/bin"
  makeSearchPath =
    subDir: paths:
    builtins.concatStringsSep ":" (map (path: path + "/" + subDir) (filter (x: x != null) paths));

  # makeSearchPathOutput :: String -> String -> [Derivation] -> String
  # As `makeSearchPath`, in an output of each derivation.
  #   makeSearchPathOutput "dev" "include" [ { dev = "/d"; } ] => "/d/include"
  makeSearchPathOutput =
    output: subDir: pkgs:
    makeSearchPath subDir (map (lib.getOutput output) pkgs);

  # makeLibraryPath :: [Derivation] -> String
  # The library folders of packages, for LD_LIBRARY_PATH.
  #   makeLibraryPath [ "/usr" ] => "/usr/lib"
  makeLibraryPath = makeSearchPathOutput "lib" "lib";

  # makeIncludePath :: [Derivation] -> String
  # The include folders of packages.
  #   makeIncludePath [ "/usr" ] => "/usr/include"
  makeIncludePath = makeSearchPathOutput "dev" "include";

  # makeBinPath :: [Derivation] -> String
  # The program folders of packages, for PATH.
  #   makeBinPath [ "/usr" ] => "/usr/bin"
  makeBinPath = makeSearchPathOutput "bin" "bin";

  # normalizePath :: String -> String
  # Repeated slashes made one.
  #   normalizePath "/a//b///c/" => "/a/b/c/"
  normalizePath =
    s:
    concatStrings (
      map (p: if isList p then "/" else p) (split "//*" s)
    );

  # optionalString :: Bool -> String -> String
  # The string, or an empty one.
  #   optionalString true "a" => "a"
  #   optionalString false "a" => ""
  optionalString = cond: string: if cond then string else "";

  # hasPrefix :: String -> String -> Bool
  # Whether the second string starts with the first.
  #   hasPrefix "foo" "foobar" => true
  #   hasPrefix "bar" "foobar" => false
  hasPrefix = pref: str: substring 0 (stringLength pref) str == pref;

  # hasSuffix :: String -> String -> Bool
  # Whether the second string ends with the first.
  #   hasSuffix "bar" "foobar" => true
  #   hasSuffix "foobar" "bar" => false
  hasSuffix =
    suffix: content:
    let
      lenContent = stringLength content;
      lenSuffix = stringLength suffix;
    in
    lenContent >= lenSuffix && substring (lenContent - lenSuffix) lenContent content == suffix;

  # hasInfix :: String -> String -> Bool
  # Whether the second string contains the first.
  #   hasInfix "oba" "foobar" => true
  #   hasInfix "x" "foobar" => false
  hasInfix = infix: content: replaceStrings [ infix ] [ "" ] content != content || infix == "";

  # stringToCharacters :: String -> [String]
  # A string's characters (bytes).
  #   stringToCharacters "abc" => [ "a" "b" "c" ]
  inherit stringToCharacters;

  # stringAsChars :: (String -> String) -> String -> String
  # Maps every character.
  #   stringAsChars (c: if c == "a" then "i" else c) "nax" => "nix"
  stringAsChars = f: s: concatMapStrings f (stringToCharacters s);

  # charToInt :: String -> Int
  # An ASCII character's code.
  #   strings.charToInt "A" => 65
  charToInt = c: asciiTable.${c};

  # asciiTable :: AttrSet
  # Codes of the ASCII characters a Nix string can hold.
  #   strings.asciiTable."a" => 97
  asciiTable =
    let
      printable = stringToCharacters " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";
      # The other control characters have no escape in the language.
      control = {
        "\t" = 9;
        "\n" = 10;
        "\r" = 13;
      };
    in
    control
    // builtins.listToAttrs (
      lib.imap0 (i: name: {
        inherit name;
        value = i + 32;
      }) printable
    );

  # lowerChars :: [String]
  # The letters from a to z.
  #   builtins.length strings.lowerChars => 26
  lowerChars = lower;

  # upperChars :: [String]
  # The letters from A to Z.
  #   builtins.head strings.upperChars => "A"
  upperChars = upper;

  # toLower :: String -> String
  # ASCII letters in lower case.
  #   toLower "HOME" => "home"
  toLower = replaceStrings upper lower;

  # toUpper :: String -> String
  # ASCII letters in upper case.
  #   toUpper "home" => "HOME"
  toUpper = replaceStrings lower upper;

  # addContextFrom :: String -> String -> String
  # The second string with the first one's context added.
  #   addContextFrom "a" "b" => "b"
  addContextFrom = a: b: substring 0 0 a + b;

  # splitString :: String -> String -> [String]
  # Cuts a string at every separator.
  #   splitString "." "a.b.c" => [ "a" "b" "c" ]
  #   splitString "/" "/usr/bin" => [ "" "usr" "bin" ]
  splitString =
    sep: s:
    let
      splits = filter isString (
        split (lib.escapeRegex (toString sep)) (toString s)
      );
    in
    map (addContextFrom s) splits;

  # splitStringBy :: (String -> String -> Bool) -> Bool -> String -> [String]
  # Cuts between characters where a predicate of (previous, current) holds; the flag says
  # whether the character cut at is kept.
  #   splitStringBy (prev: curr: curr == ".") false "a.b" => [ "a" "b" ]
  #   splitStringBy (prev: curr: elem curr [ "B" ]) true "aaBb" => [ "aa" "Bb" ]
  splitStringBy =
    predicate: keepSplit: str:
    let
      len = stringLength str;
      go =
        pos: current: prev: acc:
        if pos == len then
          acc ++ [ current ]
        else
          let
            char = substring pos 1 str;
            isSplit = pos > 0 && predicate prev char;
          in
          if pos == 0 && predicate "" char && !keepSplit then
            go (pos + 1) "" char (acc ++ [ "" ])
          else if isSplit then
            go (pos + 1) (if keepSplit then char else "") char (acc ++ [ current ])
          else
            go (pos + 1) (current + char) char acc;
    in
    map (addContextFrom str) (go 0 "" "" [ ]);

  # removePrefix :: String -> String -> String
  # The second string without the first at its start, if it is there.
  #   removePrefix "foo." "foo.bar" => "bar"
  #   removePrefix "xxx" "foo" => "foo"
  removePrefix =
    prefix: str:
    if hasPrefix prefix str then substring (stringLength prefix) (stringLength str) str else str;

  # removeSuffix :: String -> String -> String
  # The second string without the first at its end, if it is there.
  #   removeSuffix ".txt" "a.txt" => "a"
  removeSuffix =
    suffix: str:
    if hasSuffix suffix str then substring 0 (stringLength str - stringLength suffix) str else str;

  # versionOlder :: String -> String -> Bool
  # Whether the second version is newer than the first.
  #   versionOlder "1.1" "1.2" => true
  versionOlder = v1: v2: builtins.compareVersions v2 v1 == 1;

  # versionAtLeast :: String -> String -> Bool
  # Whether the first version is not older than the second.
  #   versionAtLeast "1.1" "1.1" => true
  versionAtLeast = v1: v2: !versionOlder v1 v2;

  # getName :: (String | Derivation) -> String
  # The name without its version.
  #   getName "youtube-dl-2016.01.01" => "youtube-dl"
  getName = x: if isString x then (builtins.parseDrvName x).name else x.pname or (getName x.name);

  # getVersion :: (String | Derivation) -> String
  # The version in a name.
  #   getVersion "youtube-dl-2016.01.01" => "2016.01.01"
  getVersion =
    x: if isString x then (builtins.parseDrvName x).version else x.version or (getVersion x.name);

  # nameFromURL :: String -> String -> String
  # A file's name from a URL, as far as a separator.
  #   nameFromURL "https://x/a-1.0.tar.gz" "." => "a-1"
  nameFromURL =
    url: sep:
    let
      filename = lib.last (splitString "/" url);
      name = head (splitString sep filename);
    in
    assert name != filename;
    name;

  # cmakeOptionType :: String -> String -> String -> String
  # A cache entry of a given type for CMake's command line.
  #   cmakeOptionType "string" "A" "b" => "-DA:STRING=b"
  cmakeOptionType =
    type: feature: value:
    assert elem (toUpper type) [
      "BOOL"
      "FILEPATH"
      "PATH"
      "STRING"
      "INTERNAL"
      "LIST"
    ];
    "-D${feature}:${toUpper type}=${value}";

  # cmakeBool :: String -> Bool -> String
  # A Boolean for CMake.
  #   cmakeBool "A" true => "-DA:BOOL=TRUE"
  cmakeBool = condition: flag: cmakeOptionType "bool" condition (toUpper (lib.boolToString flag));

  # cmakeFeature :: String -> String -> String
  # A string for CMake.
  #   cmakeFeature "A" "b" => "-DA:STRING=b"
  cmakeFeature = feature: value: cmakeOptionType "string" feature value;

  # mesonOption :: String -> String -> String
  # An option for Meson.
  #   mesonOption "a" "b" => "-Da=b"
  mesonOption = feature: value: "-D${feature}=${value}";

  # mesonBool :: String -> Bool -> String
  # A Boolean for Meson.
  #   mesonBool "a" true => "-Da=true"
  mesonBool = condition: flag: mesonOption condition (lib.boolToString flag);

  # mesonEnable :: String -> Bool -> String
  # A feature for Meson.
  #   mesonEnable "a" false => "-Da=disabled"
  mesonEnable = feature: flag: mesonOption feature (if flag then "enabled" else "disabled");

  # enableFeature :: Bool -> String -> String
  # A switch for configure scripts.
  #   enableFeature true "x" => "--enable-x"
  enableFeature = flag: feature: "--${if flag then "enable" else "disable"}-${feature}";

  # enableFeatureAs :: Bool -> String -> String -> String
  # As `enableFeature`, with a value when it is on.
  #   enableFeatureAs true "x" "y" => "--enable-x=y"
  enableFeatureAs = flag: feature: value: enableFeature flag feature + optionalString flag "=${value}";

  # withFeature :: Bool -> String -> String
  # `--with` or `--without`.
  #   withFeature false "x" => "--without-x"
  withFeature = flag: feature: "--${if flag then "with" else "without"}-${feature}";

  # withFeatureAs :: Bool -> String -> String -> String
  # As `withFeature`, with a value when it is on.
  #   withFeatureAs true "x" "y" => "--with-x=y"
  withFeatureAs = flag: feature: value: withFeature flag feature + optionalString flag "=${value}";

  # fixedWidthString :: Int -> String -> String -> String
  # Pads a string on the left; fails when it is too long already.
  #   fixedWidthString 5 "0" "15" => "00015"
  fixedWidthString =
    width: filler: str:
    let
      missing = width - stringLength str;
    in
    assert lib.assertMsg (missing >= 0)
      "fixedWidthString: `${str}` is longer than ${toString width} characters";
    if missing == 0 then str else filler + fixedWidthString (width - stringLength filler) filler str;

  # fixedWidthNumber :: Int -> Int -> String
  # Pads a number with zeros.
  #   fixedWidthNumber 5 15 => "00015"
  fixedWidthNumber = width: n: fixedWidthString width "0" (toString n);

  # floatToString :: Float -> String
  # A float's text; warns when digits were lost.
  #   floatToString 0.5 => "0.500000"
  floatToString =
    float:
    let
      result = toString float;
      precise = float == builtins.fromJSON result;
    in
    lib.warnIf (!precise) "converting the float to `${result}` loses digits" result;

  # isConvertibleWithToString :: Any -> Bool
  # Whether `toString` accepts a value.
  #   isConvertibleWithToString [ 1 "a" ] => true
  #   isConvertibleWithToString { } => false
  isConvertibleWithToString =
    let
      types = [
        "null"
        "int"
        "float"
        "bool"
      ];
    in
    x:
    isStringLike x || elem (builtins.typeOf x) types || (isList x && lib.all isConvertibleWithToString x);

  # isStringLike :: Any -> Bool
  # Whether a value can stand inside of a string.
  #   isStringLike ./. => true
  #   isStringLike { outPath = "/x"; } => true
  #   isStringLike 1 => false
  isStringLike = x: isString x || builtins.isPath x || x ? outPath || x ? __toString;

  # isStorePath :: Any -> Bool
  # Whether a value is a path directly in the store.
  #   strings.isStorePath "${builtins.storeDir}/00000000000000000000000000000000-a" => true
  #   isStorePath "/tmp" => false
  isStorePath =
    x:
    isStringLike x
    && (
      let
        str = builtins.unsafeDiscardStringContext (toString x);
      in
      substring 0 1 str == "/" && toString (dirOf str) == builtins.storeDir
    );

  # toInt :: String -> Int
  # Reads a number; refuses ambiguous leading zeros.
  #   toInt " 1337 " => 1337
  #   fails (toInt "00024") => true
  toInt =
    str:
    let
      parts = match "[[:space:]]*(-?[[:digit:]]+)[[:space:]]*" str;
      number = head parts;
      octalLike = match "0[[:digit:]]+" number != null;
    in
    if parts == null then
      throw "toInt: could not convert ${lib.escapeNixString str} to an integer"
    else if octalLike then
      throw "toInt: ${lib.escapeNixString str} is ambiguous between decimal and octal; use toIntBase10"
    else
      builtins.fromJSON number;

  # toIntBase10 :: String -> Int
  # Reads a decimal number; leading zeros do not matter.
  #   toIntBase10 "00024" => 24
  toIntBase10 =
    str:
    let
      parts = match "[[:space:]]*0*(-?[[:digit:]]+)[[:space:]]*" str;
    in
    if parts == null then
      throw "toIntBase10: could not convert ${lib.escapeNixString str} to an integer"
    else
      builtins.fromJSON (head parts);

  # readPathsFromFile :: Path -> Path -> [Path]
  # The paths a file lists, one per line, below a folder.
  #   readPathsFromFile /r ./tests/data.txt => [ /r/a ]
  readPathsFromFile =
    rootPath: file:
    map (line: rootPath + "/${line}") (
      filter (line: line != "" && !hasPrefix "#" line) (splitString "\n" (builtins.readFile file))
    );

  # fileContents :: Path -> String
  # A file's text without its last newline.
  #   fileContents ./tests/data.txt => "a"
  fileContents = file: removeSuffix "\n" (builtins.readFile file);

  # levenshtein :: String -> String -> Int
  # How many edits turn one string into another.
  #   strings.levenshtein "kitten" "sitting" => 3
  levenshtein =
    a: b:
    let
      row =
        prev: i:
        builtins.foldl' (
          acc: j:
          let
            left = lib.last acc;
            cost = if substring (i - 1) 1 a == substring (j - 1) 1 b then 0 else 1;
          in
          acc
          ++ [
            (lib.min (lib.min (left + 1) (elemAt prev j + 1)) (elemAt prev (j - 1) + cost))
          ]
        ) [ i ] (lib.range 1 (stringLength b));
    in
    lib.last (builtins.foldl' row (lib.range 0 (stringLength b)) (lib.range 1 (stringLength a)));

  # levenshteinAtMost :: Int -> String -> String -> Bool
  # Whether at most k edits turn one string into another.
  #   strings.levenshteinAtMost 1 "foo" "fo" => true
  levenshteinAtMost = k: a: b: levenshtein a b <= k;

  # commonPrefixLength :: String -> String -> Int
  # How many characters two strings share at their start.
  #   strings.commonPrefixLength "abc" "abx" => 2
  commonPrefixLength =
    a: b:
    let
      m = lib.min (stringLength a) (stringLength b);
      go = i: if i >= m || substring i 1 a != substring i 1 b then i else go (i + 1);
    in
    go 0;

  # commonSuffixLength :: String -> String -> Int
  # How many characters two strings share at their end.
  #   strings.commonSuffixLength "abc" "xbc" => 2
  commonSuffixLength =
    a: b:
    let
      lenA = stringLength a;
      lenB = stringLength b;
      m = lib.min lenA lenB;
      go = i: if i >= m || substring (lenA - i - 1) 1 a != substring (lenB - i - 1) 1 b then i else go (i + 1);
    in
    go 0;
}
