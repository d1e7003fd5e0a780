# GVariant: the typed values of dconf and GSettings, and how they are written.
#
# What it is not: a reader of such texts. The text format is GLib's ("GVariant Text Format").
{ lib }:
let
  inherit (builtins)
    concatStringsSep
    head
    isBool
    isFloat
    isInt
    isList
    isString
    length
    ;

  # A value of a type with its text.
  variant = kind: value: text: {
    _type = "gvariant";
    type = kind;
    inherit value;
    __toString = _: text;
  };

  # The text of a type that does not show in the value itself.
  annotated = kind: text: "@${kind} ${text}";

  quoted = text: "'${lib.replaceStrings [ "\\" "'" "\n" ] [ "\\\\" "\\'" "\\n" ] text}'";

  # An integer type: its letter and the word before its values, which the default type needs not.
  integer = kind: word: value:
    variant kind value (if word == "" then toString value else "${word} ${toString value}");
in
rec {
  # type :: AttrSet
  # The letters of types; functions make those of containers.
  #   gvariant.type.arrayOf gvariant.type.string => "as"
  #   gvariant.type.tupleOf [ "s" "i" ] => "(si)"
  type = {
    arrayOf = t: "a${t}";
    maybeOf = t: "m${t}";
    tupleOf = ts: "(${concatStringsSep "" ts})";
    dictionaryEntryOf = name: value: "{${name}${value}}";
    string = "s";
    boolean = "b";
    uchar = "y";
    int16 = "n";
    uint16 = "q";
    int32 = "i";
    uint32 = "u";
    int64 = "x";
    uint64 = "t";
    double = "d";
    variant = "v";
  };

  # isGVariant :: Any -> Bool
  # Whether a value was made here.
  #   gvariant.isGVariant (gvariant.mkString "x") => true
  #   gvariant.isGVariant "x" => false
  isGVariant = v: v._type or "" == "gvariant";

  # mkValue :: Any -> GVariant
  # The natural GVariant of a value: booleans, 32-bit integers, doubles, strings, arrays.
  #   toString (gvariant.mkValue [ "a" "b" ]) => "@as ['a','b']"
  #   toString (gvariant.mkValue 5) => "5"
  #   fails (gvariant.mkValue { }) => true
  mkValue =
    v:
    if isGVariant v then
      v
    else if isBool v then
      mkBoolean v
    else if isInt v then
      mkInt32 v
    else if isFloat v then
      mkDouble v
    else if isString v then
      mkString v
    else if isList v then
      mkArray v
    else
      throw "gvariant.mkValue: the type of a value of kind ${builtins.typeOf v} cannot be told: use one of the constructors";

  # mkArray :: [a] -> GVariant
  # An array of values of one type, of which there must be one: else see `mkEmptyArray`.
  #   toString (gvariant.mkArray [ 1 2 ]) => "@ai [1,2]"
  #   fails (gvariant.mkArray [ 1 "x" ]) => true
  mkArray =
    elements:
    let
      values = map mkValue elements;
      kind = (head values).type;
    in
    assert lib.assertMsg (values != [ ]) "gvariant.mkArray: the type of an empty array cannot be told: use mkEmptyArray";
    assert lib.assertMsg (lib.all (v: v.type == kind) values) "gvariant.mkArray: the elements are of different types";
    variant (type.arrayOf kind) values (
      annotated (type.arrayOf kind) "[${concatStringsSep "," (map toString values)}]"
    );

  # mkEmptyArray :: Type -> GVariant
  # An array without elements.
  #   toString (gvariant.mkEmptyArray gvariant.type.string) => "@as []"
  mkEmptyArray = kind: variant (type.arrayOf kind) [ ] (annotated (type.arrayOf kind) "[]");

  # mkVariant :: a -> GVariant
  # A value that says its type itself.
  #   toString (gvariant.mkVariant "x") => "<'x'>"
  mkVariant =
    v:
    let
      value = mkValue v;
    in
    variant type.variant value "<${toString value}>";

  # mkDictionaryEntry :: a -> b -> GVariant
  # An entry of a dictionary, which is an array of entries.
  #   toString (gvariant.mkDictionaryEntry "a" 1) => "@{si} {'a',1}"
  mkDictionaryEntry =
    name: value:
    let
      name' = mkValue name;
      value' = mkValue value;
      kind = type.dictionaryEntryOf name'.type value'.type;
    in
    variant kind { name = name'; value = value'; } (annotated kind "{${toString name'},${toString value'}}");

  # mkMaybe :: Type -> (null | a) -> GVariant
  # A value that may be absent.
  #   toString (gvariant.mkMaybe gvariant.type.string null) => "@ms nothing"
  mkMaybe =
    kind: v:
    if v == null then
      variant (type.maybeOf kind) null (annotated (type.maybeOf kind) "nothing")
    else
      variant (type.maybeOf kind) v "just ${toString v}";

  # mkNothing :: Type -> GVariant
  # The absent value of a type.
  #   toString (gvariant.mkNothing "i") => "@mi nothing"
  mkNothing = kind: mkMaybe kind null;

  # mkJust :: a -> GVariant
  # A value that is there.
  #   toString (gvariant.mkJust 1) => "just 1"
  mkJust =
    v:
    let
      value = mkValue v;
    in
    mkMaybe value.type value;

  # mkTuple :: [Any] -> GVariant
  # Values of any types together.
  #   toString (gvariant.mkTuple [ "a" 1 ]) => "@(si) ('a',1)"
  mkTuple =
    elements:
    let
      values = map mkValue elements;
      kind = type.tupleOf (map (v: v.type) values);
      # One element needs a comma to be a tuple.
      comma = lib.optionalString (length values == 1) ",";
    in
    variant kind values (annotated kind "(${concatStringsSep "," (map toString values)}${comma})");

  # mkBoolean :: Bool -> GVariant
  # A truth value.
  #   toString (gvariant.mkBoolean true) => "true"
  mkBoolean = v: variant type.boolean v (lib.boolToString v);

  # mkString :: String -> GVariant
  # A text.
  #   toString (gvariant.mkString "it's") => "'it\\'s'"
  mkString = v: variant type.string v (quoted v);

  # mkObjectpath :: String -> GVariant
  # A path of D-Bus.
  #   toString (gvariant.mkObjectpath "/org/x") => "objectpath '/org/x'"
  mkObjectpath = v: variant "o" v "objectpath ${quoted v}";

  # mkUchar :: String -> GVariant
  # A byte.
  #   toString (gvariant.mkUchar "\\x01") => "\\x01"
  mkUchar = v: variant type.uchar v v;

  # mkInt16 :: Int -> GVariant
  # A signed integer of 16 bits.
  #   toString (gvariant.mkInt16 1) => "int16 1"
  mkInt16 = integer type.int16 "int16";

  # mkUint16 :: Int -> GVariant
  # An unsigned integer of 16 bits.
  #   toString (gvariant.mkUint16 1) => "uint16 1"
  mkUint16 = integer type.uint16 "uint16";

  # mkInt32 :: Int -> GVariant
  # A signed integer of 32 bits, what a plain number is.
  #   toString (gvariant.mkInt32 1) => "1"
  mkInt32 = integer type.int32 "";

  # mkUint32 :: Int -> GVariant
  # An unsigned integer of 32 bits.
  #   toString (gvariant.mkUint32 1) => "uint32 1"
  mkUint32 = integer type.uint32 "uint32";

  # mkInt64 :: Int -> GVariant
  # A signed integer of 64 bits.
  #   toString (gvariant.mkInt64 1) => "int64 1"
  mkInt64 = integer type.int64 "int64";

  # mkUint64 :: Int -> GVariant
  # An unsigned integer of 64 bits.
  #   toString (gvariant.mkUint64 1) => "uint64 1"
  mkUint64 = integer type.uint64 "uint64";

  # mkDouble :: Float -> GVariant
  # A floating-point number.
  #   toString (gvariant.mkDouble 1.5) => "1.500000"
  mkDouble = v: variant type.double v (toString v);
}
