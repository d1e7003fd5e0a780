# Configuration formats for modules: each is { type, generate = name: value: file }.
{ lib, pkgs }:

let
  inherit (lib) types;
  scalar = types.nullOr (types.oneOf [ types.bool types.int types.float types.str types.path ]);
  tree = atom:
    let
      value = types.oneOf [ atom (types.attrsOf value) (types.listOf value) ] // { description = "JSON value"; };
    in
    value;
in
{
  json = { }: {
    type = tree scalar;
    generate = name: value: pkgs.writeText name (builtins.toJSON value);
  };

  # YAML is a superset of JSON; what is written is JSON.
  yaml = { }: {
    type = tree scalar;
    generate = name: value: pkgs.writeText name (builtins.toJSON value);
  };

  ini =
    { listsAsDuplicateKeys ? false, listToValue ? null, ... }@args:
    let
      atom = types.nullOr (types.oneOf [ types.bool types.int types.float types.str ]);
    in
    {
      type = types.attrsOf (types.attrsOf (
        if listsAsDuplicateKeys || listToValue != null then types.either atom (types.listOf atom) else atom
      ));
      generate = name: value: pkgs.writeText name (lib.generators.toINI args value);
    };

  keyValue =
    { ... }@args:
    {
      type = types.attrsOf scalar;
      generate = name: value: pkgs.writeText name (lib.generators.toKeyValue args value);
    };

  toml = { }: {
    type = tree scalar;
    generate = name: value: pkgs.writeText name (lib.generators.toTOML { } value);
  };
}
