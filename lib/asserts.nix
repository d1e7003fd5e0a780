# Assertions with messages.
#
# What it is not: the option `assertions`; that is a module's.
{ lib }:
rec {
  # assertMsg :: Bool -> String -> Bool
  # For `assert`: true, or an error with the message.
  #   assertMsg true "no" => true
  #   fails (assertMsg false "no") => true
  assertMsg = pred: msg: pred || throw msg;

  # checkAssertWarn :: [{ assertion; message; }] -> [String] -> a -> a
  # A value, if all assertions hold, after the warnings; every message of those that do not is told.
  #   checkAssertWarn [ { assertion = true; message = "no"; } ] [ ] 1 => 1
  #   fails (checkAssertWarn [ { assertion = false; message = "no"; } ] [ ] 1) => true
  checkAssertWarn =
    assertions: warnings: val:
    let
      failed = map (a: a.message) (builtins.filter (a: !a.assertion) assertions);
    in
    if failed == [ ] then
      lib.foldr lib.warn val warnings
    else
      throw "Failed assertions:\n${builtins.concatStringsSep "\n" (map (m: "- ${m}") failed)}";

  # assertOneOf :: String -> a -> [a] -> Bool
  # For `assert`: whether a value is one of the allowed ones.
  #   assertOneOf "lib" "a" [ "a" "b" ] => true
  #   fails (assertOneOf "lib" "c" [ "a" "b" ]) => true
  assertOneOf =
    name: val: xs:
    assertMsg (builtins.elem val xs)
      "${name} must be one of ${lib.generators.toPretty { } xs}, but is ${lib.generators.toPretty { } val}";

  # assertEachOneOf :: String -> [a] -> [a] -> Bool
  # As `assertOneOf`, for every element of a list.
  #   assertEachOneOf "libs" [ "a" ] [ "a" "b" ] => true
  assertEachOneOf =
    name: vals: xs:
    assertMsg (builtins.all (val: builtins.elem val xs) vals)
      "each of ${name} must be one of ${lib.generators.toPretty { } xs}, but they are ${lib.generators.toPretty { } vals}";
}
