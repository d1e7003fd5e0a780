# Options: declaring them, and reading what is known about them.
#
# The merging itself is native (`lib.native`, crates/module).
# What it is not: any particular option.
{ lib }:
let
  inherit (lib) native;
  inherit (lib.types) mkOptionType;
in
rec {
  # mergeDefaultOption :: [String] -> [{ file; value; }] -> Any
  # What an option without a type does with several definitions: joins lists, sets, strings, functions.
  #   mergeDefaultOption [ "x" ] [ { file = "a"; value = [ 1 ]; } { file = "b"; value = [ 2 ]; } ] => [ 1 2 ]
  #
  # mergeEqualOption :: [String] -> [{ file; value; }] -> Any
  # Several definitions, if they are equal.
  #   mergeEqualOption [ "x" ] [ { file = "a"; value = 1; } { file = "b"; value = 1; } ] => 1
  #
  # mergeOneOption :: [String] -> [{ file; value; }] -> Any
  # The only definition.
  #   mergeOneOption [ "x" ] [ { file = "a"; value = 1; } ] => 1
  inherit (native) mergeDefaultOption mergeEqualOption;
  mergeOneOption = mergeUniqueOption { message = ""; };

  # mergeUniqueOption :: { message; merge ? …; } -> [String] -> [{ file; value; }] -> Any
  # The only definition, with advice for whoever gives two.
  #   mergeUniqueOption { message = "m"; } [ "x" ] [ { file = "a"; value = 1; } ] => 1
  #   fails (mergeUniqueOption { message = "m"; } [ "x" ] [ { file = "a"; value = 1; } { file = "b"; value = 1; } ]) => true
  mergeUniqueOption =
    {
      message,
      merge ? null,
    }:
    native.mergeUniqueOption message merge;

  # isOption :: Any -> Bool
  # Whether a value is an option's declaration.
  #   isOption (mkOption { }) => true
  isOption = lib.types.isType "option";

  # mkOption :: { default ?; defaultText ?; example ?; description ?; type ?; apply ?; … } -> Option
  # Declares an option.
  #   mkOption { default = 1; } => { _type = "option"; default = 1; }
  mkOption = attrs: attrs // { _type = "option"; };

  # mkEnableOption :: String -> Option
  # A Boolean option, false by default, that switches something on.
  #   (mkEnableOption "foo").description => "Whether to enable foo."
  mkEnableOption =
    name:
    mkOption {
      default = false;
      example = true;
      description = "Whether to enable ${textOf name}.";
      type = lib.types.bool;
    };

  # mkPackageOption :: Pkgs -> (String | [String]) -> { default ?; nullable ?; example ?; extraDescription ?; pkgsText ?; } -> Option
  # An option for the package something uses.
  #   (mkPackageOption { } "hello" { }).defaultText => literalExpression "pkgs.hello"
  #   (mkPackageOption { } "hello" { }).description => "The hello package to use."
  mkPackageOption =
    pkgs: name:
    {
      nullable ? false,
      default ? name,
      example ? null,
      extraDescription ? "",
      pkgsText ? "pkgs",
    }:
    let
      show = path: "${pkgsText}.${lib.concatStringsSep "." (lib.toList path)}";
      path = lib.toList default;
      found = lib.attrByPath path (throw "mkPackageOption: `${show path}` does not exist") pkgs;
      named = if builtins.isList name then lib.last name else name;
    in
    mkOption (
      {
        type = if nullable then lib.types.nullOr lib.types.package else lib.types.package;
        description =
          "The ${named} package to use." + lib.optionalString (extraDescription != "") " ${extraDescription}";
      }
      // lib.optionalAttrs (default != null) {
        default = found;
        defaultText = literalExpression (show default);
      }
      // lib.optionalAttrs (default == null && nullable) { default = null; }
      // lib.optionalAttrs (example != null) {
        example = literalExpression (if builtins.isList example then show example else example);
      }
    );

  # mkPackageOptionMD is the old name of `mkPackageOption`.
  mkPackageOptionMD = mkPackageOption;

  # mkSinkUndeclaredOptions :: AttrSet -> Option
  # An option that swallows definitions below it and cannot be read.
  #   (mkSinkUndeclaredOptions { }).internal => true
  mkSinkUndeclaredOptions =
    attrs:
    mkOption (
      {
        internal = true;
        visible = false;
        default = false;
        description = "Takes definitions that no option is declared for.";
        type = mkOptionType {
          name = "sink";
          check = _: true;
          merge = loc: defs: false;
        };
        apply = _: throw "this option cannot be read: it only takes definitions of undeclared options";
      }
      // attrs
    );

  # getValues :: [{ value; }] -> [Any]
  # The values of definitions.
  #   getValues [ { value = 1; } ] => [ 1 ]
  getValues = map (def: def.value);

  # getFiles :: [{ file; }] -> [String]
  # The files of definitions.
  #   getFiles [ { file = "a"; } ] => [ "a" ]
  getFiles = map (def: def.file);

  # optionAttrSetToDocList :: AttrSet -> [AttrSet]
  # What a manual needs to know of every option, in order.
  #   map (o: o.name) (optionAttrSetToDocList { a = mkOption { loc = [ "a" ]; declarations = [ ]; }; }) => [ "a" ]
  optionAttrSetToDocList = optionAttrSetToDocList' [ ];

  # optionAttrSetToDocList' :: Any -> AttrSet -> [AttrSet]
  # As `optionAttrSetToDocList`; the first argument is unused.
  #   optionAttrSetToDocList' [ ] { } => [ ]
  optionAttrSetToDocList' =
    _: options:
    builtins.concatMap (
      opt:
      let
        visible = opt.visible or true;
        type = opt.type or lib.types.unspecified;
        literal = value: builtins.addErrorContext "while showing the option `${showOption opt.loc}`" (renderOptionValue value);
        doc =
          {
            inherit (opt) loc;
            name = showOption opt.loc;
            description = if opt ? description then textOf opt.description else null;
            declarations = builtins.filter (file: file != unknownModule) opt.declarations;
            internal = opt.internal or false;
            visible = if builtins.isBool visible then visible else visible == "shallow";
            readOnly = opt.readOnly or false;
            type = type.description or "unspecified";
          }
          // lib.optionalAttrs (opt ? example) { example = literal opt.example; }
          // lib.optionalAttrs (opt ? defaultText || opt ? default) {
            default = literal (opt.defaultText or opt.default);
          }
          // lib.optionalAttrs (opt ? relatedPackages && opt.relatedPackages != null) {
            inherit (opt) relatedPackages;
          };
        sub = type.getSubOptions opt.loc;
        showSub = builtins.isBool visible && visible || visible == "transparent";
      in
      [ doc ] ++ lib.optionals (showSub && sub != { }) (optionAttrSetToDocList' opt.loc sub)
    ) (lib.collect isOption options);

  # scrubOptionValue :: Any -> Any
  # A value with derivations replaced by their names.
  #   scrubOptionValue { type = "derivation"; name = "a"; } => { type = "derivation"; name = "a"; drvPath = "a"; outPath = "a"; }
  scrubOptionValue =
    x:
    if lib.isDerivation x then
      {
        type = "derivation";
        drvPath = x.name;
        outPath = x.name;
        name = x.name;
      }
    else if builtins.isList x then
      map scrubOptionValue x
    else if builtins.isAttrs x then
      builtins.mapAttrs (_: scrubOptionValue) (builtins.removeAttrs x [ "_args" ])
    else
      x;

  # renderOptionValue :: Any -> AttrSet
  # A default or example as a literal for the manual.
  #   options.renderOptionValue 1 => literalExpression "1"
  renderOptionValue =
    v:
    if v ? _type && v ? text then
      v
    else
      literalExpression (
        lib.generators.toPretty {
          multiline = true;
          allowPrettyValues = true;
        } v
      );

  # literalExpression :: String -> AttrSet
  # Text for the manual, shown as code of the language.
  #   literalExpression "pkgs.hello" => { _type = "literalExpression"; text = "pkgs.hello"; }
  literalExpression =
    text:
    if !builtins.isString text then
      throw "literalExpression expects a string"
    else
      {
        _type = "literalExpression";
        inherit text;
      };

  # literalExample :: String -> AttrSet
  # The old name of `literalExpression`.
  #   literalExample "x" => literalExpression "x"
  literalExample = literalExpression;

  # literalMD :: String -> AttrSet
  # Text for the manual, in Markdown.
  #   literalMD "x" => { _type = "literalMD"; text = "x"; }
  literalMD =
    text:
    if !builtins.isString text then
      throw "literalMD expects a string"
    else
      {
        _type = "literalMD";
        inherit text;
      };

  # mdDoc :: String -> String
  # Descriptions are Markdown anyway: the text itself.
  #   mdDoc "x" => "x"
  mdDoc = text: text;

  # showOption :: [String] -> String
  # An option's path as one writes it.
  #   showOption [ "a" "b c" "<name>" ] => "a.\"b c\".<name>"
  showOption = native.showOption;

  # showFiles :: [String] -> String
  # File names in quotes, joined by `and`.
  #   showFiles [ "a" "b" ] => "`a' and `b'"
  showFiles = files: lib.concatStringsSep " and " (map (f: "`${toString f}'") files);

  # showDeclPos :: { file; line; column; } -> String
  # A place as a line of text.
  #   options.showDeclPos { file = "/f"; line = 1; column = 2; } => "/f:1:2"
  showDeclPos = pos: "${toString pos.file}:${toString pos.line}:${toString pos.column}";

  # showDefs :: [{ file; value; }] -> String
  # Definitions for an error message, one per paragraph.
  #   options.showDefs [ { file = "f"; value = 1; } ] => "\n- In `f': 1"
  showDefs =
    defs:
    lib.concatMapStrings (
      def:
      let
        value = lib.generators.toPretty { } (
          lib.generators.withRecursion {
            depthLimit = 10;
            throwOnDepthLimit = false;
          } def.value
        );
        lines = lib.splitString "\n" value;
        shown = lib.concatStringsSep "\n    " (lib.take 5 lines ++ lib.optional (builtins.length lines > 5) "...");
      in
      "\n- In `${toString def.file}'" + (if builtins.length lines > 1 then ":\n    ${shown}" else ": ${value}")
    ) defs;

  # showOptionWithDefLocs :: Option -> String
  # An option's path and the files that define it.
  #   showOptionWithDefLocs { loc = [ "a" ]; files = [ "f" ]; } => "a, with values defined in:\n  - f\n"
  showOptionWithDefLocs = opt: ''
    ${showOption opt.loc}, with values defined in:
    ${lib.concatMapStringsSep "\n" (file: "  - ${toString file}") opt.files}
  '';

  # unknownModule :: String
  # What stands for the file of a module that has none.
  #   unknownModule => "<unknown-file>"
  unknownModule = "<unknown-file>";

  # Descriptions may be plain strings or `mdDoc`-like sets from old modules.
  textOf = text: if builtins.isAttrs text then text.text else text;
}
