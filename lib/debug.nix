# Debugging: tracing values as they are forced, and tests of pure functions.
#
# What it is not: a debugger; traces go to standard error and never change a value.
{ lib }:
let
  inherit (builtins) isAttrs trace;
in
rec {
  inherit (builtins) addErrorContext trace unsafeGetAttrPos;

  # traceIf :: Bool -> String -> a -> a
  # Traces when a condition holds.
  #   traceIf false "x" 1 => 1
  traceIf =
    pred: msg: x:
    if pred then trace msg x else x;

  # traceValFn :: (a -> b) -> a -> a
  # Traces a function of the value and returns the value.
  #   traceValFn (v: "seen") 1 => 1
  traceValFn = f: x: trace (f x) x;

  # traceVal :: a -> a
  # Traces the value.
  #   traceVal 1 => 1
  traceVal = traceValFn lib.id;

  # traceSeq :: a -> b -> b
  # Traces the first value, forced deeply.
  #   traceSeq { a.b = 1; } 2 => 2
  traceSeq = x: y: trace (builtins.deepSeq x x) y;

  # traceSeqN :: Int -> a -> b -> b
  # As `traceSeq`, down to a depth.
  #   traceSeqN 1 { a.b = 1; } 2 => 2
  traceSeqN =
    depth: x: y:
    let
      snip =
        v:
        if builtins.isList v then
          (if v == [ ] then v else [ "…" ])
        else if isAttrs v then
          (if v == { } then v else { "…" = "…"; })
        else
          v;
      modify =
        n: f: v:
        if n == 0 then
          f v
        else if builtins.isList v then
          map (modify (n - 1) f) v
        else if isAttrs v then
          builtins.mapAttrs (_: modify (n - 1) f) v
        else
          v;
    in
    trace (lib.generators.toPretty { allowPrettyValues = true; } (modify depth snip x)) y;

  # traceValSeqFn :: (a -> b) -> a -> a
  # As `traceValFn`, forced deeply.
  #   traceValSeqFn lib.id 1 => 1
  traceValSeqFn = f: v: traceSeq (f v) v;

  # traceValSeq :: a -> a
  # As `traceVal`, forced deeply.
  #   traceValSeq { a = 1; } => { a = 1; }
  traceValSeq = traceValSeqFn lib.id;

  # traceValSeqNFn :: (a -> b) -> Int -> a -> a
  # As `traceValSeqFn`, down to a depth.
  #   traceValSeqNFn lib.id 1 [ 1 ] => [ 1 ]
  traceValSeqNFn =
    f: depth: v:
    traceSeqN depth (f v) v;

  # traceValSeqN :: Int -> a -> a
  # As `traceValSeq`, down to a depth.
  #   traceValSeqN 1 [ 1 ] => [ 1 ]
  traceValSeqN = traceValSeqNFn lib.id;

  # traceFnSeqN :: Int -> String -> (a -> b) -> a -> b
  # Traces a function's argument and result.
  #   traceFnSeqN 1 "id" (x: x) 1 => 1
  traceFnSeqN =
    depth: name: f: v:
    let
      res = f v;
    in
    traceSeqN depth {
      fn = name;
      from = v;
      to = res;
    } res;

  # runTests :: { String = { expr; expected | expectedError; }; } -> [{ name; expected; result; }]
  # The tests whose names start with `test` and whose result is not what was expected; names in
  # an attribute `tests` choose some.
  #   runTests { testA = { expr = 1; expected = 1; }; } => [ ]
  #   map (f: f.name) (runTests { testA = { expr = 1; expected = 2; }; }) => [ "testA" ]
  runTests =
    tests:
    builtins.concatLists (
      lib.mapAttrsToList (
        name: test:
        let
          wanted =
            if tests ? tests then builtins.elem name tests.tests else lib.hasPrefix "test" name;
          result = if test ? expectedError then !(builtins.tryEval (builtins.deepSeq test.expr null)).success else test.expr;
          expected = test.expected or true;
        in
        if name != "tests" && wanted && result != expected then
          [ { inherit name expected result; } ]
        else
          [ ]
      ) tests
    );

  # testAllTrue :: [Bool] -> { expr; expected; }
  # A test that every element is true.
  #   runTests { testX = testAllTrue [ true ]; } => [ ]
  testAllTrue = expr: {
    inherit expr;
    expected = map (x: true) expr;
  };

  # throwTestFailures :: { failures; description ? "tests"; } -> null
  # Fails, showing them, when there are failures of `runTests`.
  #   debug.throwTestFailures { failures = [ ]; } => null
  throwTestFailures =
    {
      failures,
      description ? "tests",
    }:
    if failures == [ ] then
      null
    else
      throw "${toString (builtins.length failures)} ${description} failed: ${
        lib.concatMapStringsSep "\n" (lib.generators.toPretty { }) failures
      }";
}
