# Types of options: what values they admit and how definitions merge.
#
# The types themselves are native (`lib.native.types`, crates/module); a type is an
# attribute set all the same, with `check`, `merge`, `getSubOptions` and the rest, and types made in
# the language with `mkOptionType` mix with them freely.
# What it is not: a type system for the language.
{ lib }:
let
  inherit (lib) native;
in
native.types
// rec {
  # isType :: String -> Any -> Bool
  # Whether a value is a set marked with a type name.
  #   types.isType "x" { _type = "x"; } => true
  isType = type: x: (x._type or "") == type;

  # setType :: String -> AttrSet -> AttrSet
  # Marks a set with a type name.
  #   types.setType "x" { } => { _type = "x"; }
  setType = typeName: value: value // { _type = typeName; };

  # isOptionType :: Any -> Bool
  # Whether a value is a type of options.
  #   types.isOptionType types.int => true
  isOptionType = isType "option-type";

  # mkOptionType :: { name; description ?; check ?; merge ?; … } -> OptionType
  # A type of one's own: `check` decides about a value, `merge loc defs` joins definitions.
  #   (mkOptionType { name = "x"; check = v: v == 1; }).check 1 => true
  mkOptionType =
    {
      name,
      description ? null,
      descriptionClass ? null,
      check ? (_: true),
      merge ? lib.options.mergeDefaultOption,
      emptyValue ? { },
      getSubOptions ? prefix: { },
      getSubModules ? null,
      substSubModules ? m: null,
      typeMerge ? defaultTypeMerge functor,
      functor ? defaultFunctor name,
      deprecationMessage ? null,
      nestedTypes ? { },
    }:
    {
      _type = "option-type";
      inherit
        name
        check
        merge
        emptyValue
        getSubOptions
        getSubModules
        substSubModules
        typeMerge
        functor
        deprecationMessage
        nestedTypes
        descriptionClass
        ;
      description = if description == null then name else description;
    };

  # fileset :: OptionType
  # A file set, or a path that stands for one. Two definitions conflict, as nothing says how to join them.
  #   types.fileset.check (lib.fileset.union ./default.nix ./lists.nix) => true
  #   types.fileset.check ./strings => true
  #   types.fileset.check "./strings" => false
  fileset = mkOptionType {
    name = "fileset";
    description = "file set";
    descriptionClass = "noun";
    check = lib.fileset.isFileset;
    merge = lib.options.mergeOneOption;
  };

  # defaultFunctor :: String -> Functor
  # How a type without parameters is made again.
  #   (types.defaultFunctor "int").name => "int"
  defaultFunctor = name: {
    inherit name;
    type = lib.types.${name} or null;
    wrapped = null;
    payload = null;
    binOp = a: b: null;
  };

  # defaultTypeMerge :: Functor -> Functor -> (OptionType | null)
  # The type of an option that is declared twice; null when the declarations disagree.
  #   (types.defaultTypeMerge types.int.functor types.int.functor).name => "int"
  #   types.defaultTypeMerge types.int.functor types.str.functor => null
  defaultTypeMerge =
    f: f':
    let
      wrapped = f.wrapped.typeMerge f'.wrapped.functor;
      payload = f.binOp f.payload f'.payload;
      hasPayload =
        assert (f'.payload != null) == (f.payload != null);
        f.payload != null;
      hasWrapped =
        assert (f'.wrapped != null) == (f.wrapped != null);
        f.wrapped != null;
    in
    if f.name != f'.name then
      null
    else if hasPayload then
      if payload == null then null else f.type payload
    else if hasWrapped then
      if wrapped == null then null else f.type wrapped
    else
      f.type;

  # optionDescriptionPhrase :: (String -> Bool) -> OptionType -> String
  # A type's description, in parentheses unless its class is one the predicate admits.
  #   types.optionDescriptionPhrase (class: class == "noun") types.str => "string"
  #   types.optionDescriptionPhrase (class: class == "noun") (types.nullOr types.str) => "(null or string)"
  optionDescriptionPhrase =
    unparenthesize: t:
    if unparenthesize (t.descriptionClass or null) then t.description else "(${t.description})";

  # addCheck :: OptionType -> (a -> Bool) -> OptionType
  # A type with one more condition.
  #   (types.addCheck types.int (x: x > 2)).check 1 => false
  addCheck = elemType: check: elemType // { check = x: elemType.check x && check x; };
}
