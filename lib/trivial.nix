# The smallest functions: identity, booleans, numbers, warnings, function arguments.
#
# What it is not: anything about lists, attribute sets or strings; those have files of their own.
{ lib }:
let
  inherit (builtins) isInt trace;

  hexValues = builtins.listToAttrs (
    lib.imap0 (value: name: { inherit name value; }) (lib.stringToCharacters "0123456789abcdef")
  );
in
rec {
  # id :: a -> a
  # Returns its argument.
  #   id 1 => 1
  id = x: x;

  # const :: a -> b -> a
  # Ignores its second argument.
  #   const 1 2 => 1
  const = x: y: x;

  # pipe :: a -> [Function] -> b
  # Sends a value through functions from left to right.
  #   pipe 2 [ (x: x + 1) (x: x * 10) ] => 30
  pipe = builtins.foldl' (x: f: f x);

  # concat :: [a] -> [a] -> [a]
  # Appends the second list to the first.
  #   concat [ 1 ] [ 2 ] => [ 1 2 ]
  concat = x: y: x ++ y;

  # or :: Bool -> Bool -> Bool
  # Logical or.
  #   lib.or true false => true
  "or" = x: y: x || y;

  # and :: Bool -> Bool -> Bool
  # Logical and.
  #   and true false => false
  and = x: y: x && y;

  # xor :: Bool -> Bool -> Bool
  # True when exactly one argument is.
  #   xor true false => true
  #   xor true true => false
  xor = x: y: (!x) != (!y);

  # bitNot :: Int -> Int
  # Flips every bit.
  #   bitNot 0 => (-1)
  bitNot = builtins.sub (-1);

  # boolToString :: Bool -> String
  # The words `true` and `false` (`toString` gives "1" and "").
  #   boolToString false => "false"
  boolToString = b: if b then "true" else "false";

  # boolToYesNo :: Bool -> String
  # The words `yes` and `no`.
  #   boolToYesNo true => "yes"
  boolToYesNo = b: if b then "yes" else "no";

  # mergeAttrs :: AttrSet -> AttrSet -> AttrSet
  # The operator `//` as a function; the right side wins.
  #   mergeAttrs { a = 1; b = 2; } { b = 3; } => { a = 1; b = 3; }
  mergeAttrs = x: y: x // y;

  # flip :: (a -> b -> c) -> b -> a -> c
  # Swaps the first two arguments of a function.
  #   flip concat [ 1 ] [ 2 ] => [ 2 1 ]
  flip =
    f: a: b:
    f b a;

  # defaultTo :: a -> (a | null) -> a
  # A default for a value that may be null.
  #   defaultTo 1 null => 1
  #   defaultTo 1 2 => 2
  defaultTo = default: value: if value == null then default else value;

  # mapNullable :: (a -> b) -> (a | null) -> (b | null)
  # Applies a function unless the value is null.
  #   mapNullable (x: x + 1) null => null
  #   mapNullable (x: x + 1) 1 => 2
  mapNullable = f: a: if a == null then null else f a;

  # version :: String
  # The NixOS release whose option names and `lib` this library follows.
  #   versionAtLeast lib.version "24.05" => true
  version = release + versionSuffix;

  # release :: String
  # The release without a suffix.
  #   trivial.release => "25.05"
  release = "25.05";

  # codeName :: String
  # The release's name.
  #   isString trivial.codeName => true
  codeName = "Warbler";

  # versionSuffix :: String
  # What distinguishes this library from the release it follows.
  #   trivial.versionSuffix => ""
  versionSuffix = "";

  # oldestSupportedRelease :: Int
  # The oldest release whose deprecated names still warn rather than fail, as year*100 + month.
  #   trivial.oldestSupportedRelease => 2411
  oldestSupportedRelease = 2411;

  # isInOldestRelease :: Int -> Bool
  # Whether a feature of the given release is in every supported one.
  #   isInOldestRelease 2311 => true
  isInOldestRelease = oldestSupportedReleaseIsAtLeast;

  # oldestSupportedReleaseIsAtLeast :: Int -> Bool
  # Whether the oldest supported release is the given one or a later one.
  #   trivial.oldestSupportedReleaseIsAtLeast 2505 => false
  oldestSupportedReleaseIsAtLeast = release: release <= oldestSupportedRelease;

  # revisionWithDefault :: String -> String
  # The library's revision; it has none, so the given default.
  #   trivial.revisionWithDefault "x" => "x"
  revisionWithDefault = default: default;

  # inNixShell :: Bool
  # Whether this evaluation is for an interactive shell.
  #   inNixShell => false
  inNixShell = builtins.getEnv "IN_NIX_SHELL" != "";

  # inPureEvalMode :: Bool
  # Whether impure builtins are absent.
  #   isBool inPureEvalMode => true
  inPureEvalMode = !builtins ? currentSystem;

  # min :: Number -> Number -> Number
  # The smaller of two numbers.
  #   min 1 2 => 1
  min = x: y: if x < y then x else y;

  # max :: Number -> Number -> Number
  # The larger of two numbers.
  #   max 1 2 => 2
  max = x: y: if x > y then x else y;

  # mod :: Int -> Int -> Int
  # The remainder of a division that rounds towards zero.
  #   mod 11 10 => 1
  #   mod (-11) 10 => (-1)
  mod = base: int: base - (int * (builtins.div base int));

  # compare :: a -> a -> Int
  # -1, 0 or 1, as the first is less than, equal to or greater than the second.
  #   compare 1 2 => (-1)
  #   compare "b" "a" => 1
  #   compare 1 1 => 0
  compare =
    a: b:
    if a < b then
      -1
    else if a > b then
      1
    else
      0;

  # splitByAndCompare :: (a -> Bool) -> (a -> a -> Int) -> (a -> a -> Int) -> a -> a -> Int
  # Orders values for which a predicate holds before the others, each side by its own comparison.
  #   splitByAndCompare (x: x > 10) compare compare 11 2 => (-1)
  splitByAndCompare =
    p: yes: no: a: b:
    if p a then
      if p b then yes a b else -1
    else if p b then
      1
    else
      no a b;

  # importJSON :: Path -> Any
  # Reads a JSON file.
  #   importJSON ./tests/data.json => { a = 1; }
  importJSON = path: builtins.fromJSON (builtins.readFile path);

  # importTOML :: Path -> AttrSet
  # Reads a TOML file.
  #   importTOML ./tests/data.toml => { a = 1; }
  importTOML = path: fromTOML (builtins.readFile path);

  # info :: String -> a -> a
  # Prints a message when the second argument is forced.
  #   info "well" 1 => 1
  info = msg: trace "INFO: ${msg}";

  # showWarnings :: [String] -> a -> a
  # Prints several warnings when the second argument is forced.
  #   showWarnings [ "careful" ] 1 => 1
  showWarnings = warnings: value: builtins.foldl' (value: msg: warn msg value) value warnings;

  # warn :: String -> a -> a
  # Prints a warning when the second argument is forced.
  #   warn "careful" 1 => 1
  warn = builtins.warn or (msg: value: trace "evaluation warning: ${msg}" value);

  # warnIf :: Bool -> String -> a -> a
  # Warns when the condition holds.
  #   warnIf false "careful" 1 => 1
  warnIf = cond: msg: if cond then warn msg else id;

  # warnIfNot :: Bool -> String -> a -> a
  # Warns when the condition does not hold.
  #   warnIfNot true "careful" 1 => 1
  warnIfNot = cond: msg: if cond then id else warn msg;

  # throwIf :: Bool -> String -> a -> a
  # Fails with a message when the condition holds.
  #   fails (throwIf true "no" 1) => true
  #   throwIf false "no" 1 => 1
  throwIf = cond: msg: if cond then throw msg else id;

  # throwIfNot :: Bool -> String -> a -> a
  # Fails with a message when the condition does not hold.
  #   fails (throwIfNot false "no" 1) => true
  throwIfNot = cond: msg: if cond then id else throw msg;

  # checkListOfEnum :: String -> [a] -> [a] -> b -> b
  # Fails, naming the offenders, when a list holds values that are not allowed.
  #   checkListOfEnum "colours" [ "red" ] [ "red" ] 1 => 1
  #   fails (checkListOfEnum "colours" [ "red" ] [ "blue" ] 1) => true
  checkListOfEnum =
    msg: valid: given:
    let
      unexpected = lib.subtractLists valid given;
      show = lib.concatMapStringsSep ", " toString;
    in
    throwIfNot (
      unexpected == [ ]
    ) "${msg}: ${show unexpected} unexpected; valid ones: ${show valid}";

  # setFunctionArgs :: (a -> b) -> AttrSet -> AttrSet
  # A functor that calls the function and reports the given formal arguments.
  #   functionArgs (setFunctionArgs (x: x) { a = false; }) => { a = false; }
  setFunctionArgs = f: args: {
    __functor = self: f;
    __functionArgs = args;
  };

  # functionArgs :: Function -> AttrSet
  # The formal arguments of a function or functor; true marks those with a default.
  #   functionArgs ({ a, b ? 1 }: a) => { a = false; b = true; }
  functionArgs =
    f:
    if f ? __functor then
      f.__functionArgs or (functionArgs (f.__functor f))
    else
      builtins.functionArgs f;

  # isFunction :: Any -> Bool
  # Whether a value can be called; functors can.
  #   isFunction { __functor = self: x: x; } => true
  isFunction = f: builtins.isFunction f || (f ? __functor && isFunction (f.__functor f));

  # mirrorFunctionArgs :: Function -> (a -> b) -> (a -> b)
  # Gives the second function the formal arguments of the first.
  #   functionArgs (mirrorFunctionArgs ({ a }: a) (x: x)) => { a = false; }
  mirrorFunctionArgs =
    f:
    let
      args = functionArgs f;
    in
    g: if args == { } then g else setFunctionArgs g args;

  # toFunction :: Any -> Function
  # A function stays; anything else becomes a function that returns it.
  #   toFunction 1 2 => 1
  toFunction = v: if isFunction v then v else _: v;

  # fromHexString :: String -> Int
  # Reads a hexadecimal number, with or without `0x`.
  #   fromHexString "0xff" => 255
  fromHexString =
    value:
    let
      match = builtins.match "(0x)?([0-9a-fA-F]+)" value;
      digits = lib.stringToCharacters (lib.toLower (builtins.elemAt match 1));
    in
    if match == null then
      throw "fromHexString: `${value}` is not a hexadecimal number"
    else
      builtins.foldl' (acc: digit: acc * 16 + hexValues.${digit}) 0 digits;

  # toHexString :: Int -> String
  # Writes a number in upper-case hexadecimal.
  #   toHexString 250 => "FA"
  toHexString =
    i: lib.concatMapStrings (digit: builtins.substring digit 1 "0123456789ABCDEF") (toBaseDigits 16 i);

  # toBaseDigits :: Int -> Int -> [Int]
  # A number's digits in a base, the most significant first.
  #   toBaseDigits 10 123 => [ 1 2 3 ]
  toBaseDigits =
    base: i:
    let
      go = n: if n < base then [ n ] else go (n / base) ++ [ (mod n base) ];
    in
    assert isInt base && isInt i && base >= 2 && i >= 0;
    go i;

  # Builtins that module authors reach through lib.
  inherit (builtins)
    add
    addErrorContext
    bitAnd
    bitOr
    bitXor
    ceil
    deepSeq
    floor
    genericClosure
    getEnv
    hasContext
    isAttrs
    isBool
    isFloat
    isInt
    isList
    isPath
    isString
    lessThan
    pathExists
    readFile
    seq
    sub
    trace
    tryEval
    typeOf
    unsafeGetAttrPos
    ;
}
