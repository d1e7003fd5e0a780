# Paths: joining and comparing them without touching the file system.
#
# What it is not: path strings with `..` resolved; a subpath never leaves its base.
{ lib }:
let
  inherit (builtins) isPath isString;

  # The components of a relative path string; null when it is no subpath.
  componentsOrNull =
    subpath:
    let
      parts = builtins.filter (p: isString p && p != "" && p != ".") (builtins.split "/" subpath);
    in
    if !isString subpath || subpath == "" || lib.hasPrefix "/" subpath || builtins.elem ".." parts then
      null
    else
      parts;

  why =
    subpath:
    if !isString subpath then
      "it is a ${builtins.typeOf subpath}, not a string"
    else if subpath == "" then
      "it is empty"
    else if lib.hasPrefix "/" subpath then
      "it is absolute"
    else
      "it contains `..`";

  componentsOf =
    caller: subpath:
    let
      parts = componentsOrNull subpath;
    in
    if parts == null then
      throw "lib.path.${caller}: ${lib.generators.toPretty { multiline = false; } subpath} is not a valid subpath: ${why subpath}"
    else
      parts;

  join = parts: if parts == [ ] then "./." else "./" + lib.concatStringsSep "/" parts;

  # A path's file system root and the components below it.
  deconstruct =
    path:
    let
      go = components: base: if base == dirOf base then { root = base; inherit components; } else go ([ (baseNameOf base) ] ++ components) (dirOf base);
    in
    go [ ] path;

  mustBePath =
    caller: path:
    lib.throwIfNot (isPath path) "lib.path.${caller}: a ${builtins.typeOf path} was given where a path was expected" path;
in
rec {
  # append :: Path -> String -> Path
  # A path and a subpath below it.
  #   path.append /foo "bar//./baz" => /foo/bar/baz
  #   fails (path.append /foo "../bar") => true
  append =
    path: subpath: mustBePath "append" path + ("/" + lib.concatStringsSep "/" (componentsOf "append" subpath));

  # hasPrefix :: Path -> Path -> Bool
  # Whether the second path is the first or below it.
  #   path.hasPrefix /foo /foo/bar => true
  #   path.hasPrefix /foo /foobar => false
  hasPrefix =
    path1:
    let
      a = deconstruct (mustBePath "hasPrefix" path1);
    in
    path2:
    let
      b = deconstruct (mustBePath "hasPrefix" path2);
    in
    a.root == b.root && lib.take (builtins.length a.components) b.components == a.components;

  # removePrefix :: Path -> Path -> String
  # The second path as a subpath of the first.
  #   path.removePrefix /foo /foo/bar => "./bar"
  #   path.removePrefix /foo /foo => "./."
  removePrefix =
    path1: path2:
    if hasPrefix path1 path2 then
      join (
        lib.drop (builtins.length (deconstruct path1).components) (deconstruct path2).components
      )
    else
      throw "lib.path.removePrefix: `${toString path1}` is not a prefix of `${toString path2}`";

  # splitRoot :: Path -> { root :: Path; subpath :: String; }
  # A path's file system root and the rest.
  #   path.splitRoot /foo/bar => { root = /.; subpath = "./foo/bar"; }
  splitRoot =
    path:
    let
      d = deconstruct (mustBePath "splitRoot" path);
    in
    {
      inherit (d) root;
      subpath = join d.components;
    };

  # splitStorePath :: Path -> { storePath :: Path; subpath :: String; }
  # A path in the store as its store path and the rest.
  #   (path.splitStorePath (/. + "${builtins.storeDir}/00000000000000000000000000000000-a/b")).subpath => "./b"
  splitStorePath =
    path:
    let
      d = deconstruct (mustBePath "splitStorePath" path);
      depth = builtins.length (deconstruct (/. + builtins.storeDir)).components + 1;
    in
    lib.throwIfNot (hasStorePathPrefix path) "lib.path.splitStorePath: `${toString path}` is not in the store" {
      storePath = d.root + ("/" + lib.concatStringsSep "/" (lib.take depth d.components));
      subpath = join (lib.drop depth d.components);
    };

  # hasStorePathPrefix :: Path -> Bool
  # Whether a path is a store path or below one.
  #   path.hasStorePathPrefix /foo => false
  hasStorePathPrefix =
    path:
    let
      storeDir = /. + builtins.storeDir;
      below = lib.drop (builtins.length (deconstruct storeDir).components) (deconstruct path).components;
    in
    hasPrefix storeDir (mustBePath "hasStorePathPrefix" path)
    && below != [ ]
    && builtins.match "[0-9a-z]{32}-.+" (builtins.head below) != null;

  subpath = {
    # subpath.isValid :: Any -> Bool
    # Whether a value is a relative path string that stays below its base.
    #   path.subpath.isValid "foo/bar" => true
    #   path.subpath.isValid "../foo" => false
    isValid = value: isString value && componentsOrNull value != null;

    # subpath.join :: [String] -> String
    # Subpaths joined and normalised.
    #   path.subpath.join [ "foo" "./bar/" ] => "./foo/bar"
    join = subpaths: join (builtins.concatMap (componentsOf "subpath.join") subpaths);

    # subpath.components :: String -> [String]
    # A subpath's parts.
    #   path.subpath.components "./foo//bar" => [ "foo" "bar" ]
    components = componentsOf "subpath.components";

    # subpath.normalise :: String -> String
    # A subpath in its one canonical form.
    #   path.subpath.normalise "foo//bar/" => "./foo/bar"
    normalise = subpath: join (componentsOf "subpath.normalise" subpath);
  };
}
