# Values printed for people, in the language's own syntax.
#
# What it is not: a serialisation; functions and derivations are shown as placeholders.
{ lib }:
let
  inherit (builtins)
    concatStringsSep
    isAttrs
    isList
    isString
    ;
in
{
  # toPretty :: { multiline ? true; allowPrettyValues ? false; indent ? ""; } -> Any -> String
  # A value as one would write it.
  #   generators.toPretty { } [ 1 "a" ] => "[\n  1\n  \"a\"\n]"
  #   generators.toPretty { multiline = false; } { a = null; b = x: x; } => "{ a = null; b = <function>; }"
  #   generators.toPretty { } "a\nb" => "''\n  a\n  b''"
  toPretty =
    {
      allowPrettyValues ? false,
      multiline ? true,
      indent ? "",
    }:
    let
      go =
        indent: v:
        let
          introSpace = if multiline then "\n${indent}  " else " ";
          outroSpace = if multiline then "\n${indent}" else " ";
        in
        if builtins.isInt v then
          toString v
        else if builtins.isFloat v then
          "~${toString v}"
        else if isString v then
          showString indent introSpace v
        else if v == true then
          "true"
        else if v == false then
          "false"
        else if v == null then
          "null"
        else if builtins.isPath v then
          toString v
        else if isList v then
          if v == [ ] then
            "[ ]"
          else
            "[" + introSpace + lib.concatMapStringsSep introSpace (go (indent + "  ")) v + outroSpace + "]"
        else if lib.isFunction v then
          showFunction v
        else if isAttrs v then
          if allowPrettyValues && v ? __pretty && v ? val then
            v.__pretty v.val
          else if v == { } then
            "{ }"
          else if v ? type && v.type == "derivation" then
            "<derivation ${v.name or "???"}>"
          else
            "{"
            + introSpace
            + concatStringsSep introSpace (
              lib.mapAttrsToList (
                name: value:
                "${lib.escapeNixIdentifier name} = ${
                  builtins.addErrorContext "while evaluating the attribute `${name}`" (go (indent + "  ") value)
                };"
              ) v
            )
            + outroSpace
            + "}"
        else
          throw "generators.toPretty: a value of an unknown kind";

      showString =
        indent: introSpace: v:
        let
          lines = builtins.filter (s: !isList s) (builtins.split "\n" v);
          escapeSingle = lib.escape [ "\\" "\"" ];
          escapeMulti = builtins.replaceStrings [ "\${" "''" ] [ "''\${" "'''" ];
          single = "\"" + builtins.replaceStrings [ "\${" "\n" "\t" "\r" ] [ "\\\${" "\\n" "\\t" "\\r" ] (escapeSingle v) + "\"";
          body = concatStringsSep introSpace (map escapeMulti (lib.init lines));
          lastLine = escapeMulti (lib.last lines);
          multi =
            "''"
            + introSpace
            + body
            + (if lastLine == "" then "\n${indent}" else introSpace + lastLine)
            + "''";
        in
        if multiline && builtins.length lines > 1 then multi else single;

      showFunction =
        v:
        let
          fna = lib.functionArgs v;
          show = lib.concatStringsSep ", " (
            lib.mapAttrsToList (name: hasDefault: if hasDefault then name + "?" else name) fna
          );
        in
        if fna == { } then "<function>" else "<function, args: {${show}}>";
    in
    go indent;
}
