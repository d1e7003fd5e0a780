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
