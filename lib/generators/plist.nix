# Values as Apple property lists.
#
# What it is not: the binary form; only XML.
{ lib }:
let
  inherit (builtins) isAttrs isList;
in
{
  # toPlist :: { escape ? false; } -> Any -> String
  # A property list; with `escape`, text is escaped as XML (without, it is written as given).
  #   hasInfix "<key>a</key>" (generators.toPlist { } { a = 1; }) => true
  toPlist =
    {
      escape ? false,
    }:
    v:
    let
      text = if escape then lib.escapeXML else lib.id;
      expr =
        ind: x:
        if x == null then
          ""
        else if builtins.isBool x then
          "${ind}${if x then "<true/>" else "<false/>"}"
        else if builtins.isInt x then
          "${ind}<integer>${toString x}</integer>"
        else if builtins.isString x then
          "${ind}<string>${text x}</string>"
        else if builtins.isPath x then
          "${ind}<string>${text (toString x)}</string>"
        else if isList x then
          group ind "array" (lib.concatMapStringsSep "\n" (expr "\t${ind}") x)
        else if isAttrs x then
          group ind "dict" (attributes "\t${ind}" (lib.filterAttrs (_: value: value != null) x))
        else if builtins.isFloat x then
          "${ind}<real>${toString x}</real>"
        else
          throw "generators.toPlist: a ${builtins.typeOf x} has no form in a property list";
      group = ind: tag: body: "${ind}<${tag}>\n${body}\n${ind}</${tag}>";
      attributes =
        ind: attrs:
        lib.concatStringsSep "\n" (
          lib.mapAttrsToList (name: value: "${ind}<key>${text name}</key>\n${expr ind value}") attrs
        );
    in
    ''
      <?xml version="1.0" encoding="UTF-8"?>
      <!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
      <plist version="1.0">
      ${expr "" v}
      </plist>'';
}
