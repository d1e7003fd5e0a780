# File sets: which files of a source are used, as values one can unite, intersect and subtract.
#
# A set is a tree from the file system's root: null is nothing, "directory" a folder with all in it,
# another string one file of that type, and an attribute set what of a folder's entries is meant.
# What it is not: a set of folders; empty ones cannot be named.
{ lib }:
let
  inherit (builtins)
    attrNames
    isAttrs
    isPath
    isString
    mapAttrs
    readDir
    ;

  create = tree: {
    _type = "fileset";
    _tree = tree;
    # A file set in a string is a mistake: it has to become a source first.
    __toString = throw "lib.fileset: a file set is no path; use `lib.fileset.toSource`";
  };

  componentsOf = path: builtins.filter (p: isString p && p != "") (builtins.split "/" (toString path));
  lift = components: tree: lib.setAttrByPath components tree;

  # The tree a user's value means: a file set, a path, or a source made by lib.sources.
  coerce =
    caller: value:
    if isAttrs value && value ? _type && value._type == "fileset" then
      value._tree
    else if isPath value then
      if !builtins.pathExists value then
        throw "lib.fileset.${caller}: `${toString value}` does not exist; use `lib.fileset.maybeMissing` if it need not"
      else
        lift (componentsOf value) (builtins.readFileType value)
    else if isAttrs value && value ? _isLibCleanSourceWith then
      throw "lib.fileset.${caller}: a source is no file set; use `lib.fileset.fromSource`"
    else
      throw "lib.fileset.${caller}: a ${builtins.typeOf value} is neither a file set nor a path";

  unionTrees =
    a: b:
    if a == null || isString b then
      b
    else if b == null || isString a then
      a
    else
      a // mapAttrs (name: t: unionTrees (a.${name} or null) t) b;

  intersectTrees =
    a: b:
    if a == null || b == null then
      null
    else if isString a then
      b
    else if isString b then
      a
    else
      mapAttrs (name: t: intersectTrees t b.${name}) (builtins.intersectAttrs b a);

  expand = path: tree: if tree == "directory" then readDir path else tree;

  subtractTrees =
    path: a: b:
    if a == null || isString b then
      null
    else if b == null then
      a
    else
      mapAttrs (name: t: subtractTrees (path + "/${name}") t (b.${name} or null)) (expand path a);

  filterTree =
    pred: path: tree:
    if tree == null then
      null
    else if isString tree && tree != "directory" then
      let
        name = baseNameOf path;
      in
      if
        pred {
          inherit name;
          type = tree;
          file = path;
          hasExt = ext: lib.hasSuffix ".${ext}" name;
        }
      then
        tree
      else
        null
    else
      mapAttrs (name: filterTree pred (path + "/${name}")) (expand path tree);

  filesOf =
    path: tree:
    if tree == null then
      [ ]
    else if isString tree && tree != "directory" then
      [ path ]
    else
      builtins.concatLists (
        lib.mapAttrsToList (name: filesOf (path + "/${name}")) (expand path tree)
      );

  isEmpty = tree: tree == null || (isAttrs tree && builtins.all isEmpty (builtins.attrValues tree));

  # A tree below some components; an error if it has files elsewhere.
  descend =
    caller: components: tree:
    if components == [ ] || tree == null || isString tree then
      tree
    else
      let
        name = builtins.head components;
        elsewhere = builtins.removeAttrs tree [ name ];
      in
      if !isEmpty elsewhere then
        throw "lib.fileset.${caller}: the file set has files outside of the root, in `${builtins.head (attrNames (lib.filterAttrs (_: t: !isEmpty t) elsewhere))}`"
      else
        descend caller (builtins.tail components) (tree.${name} or null);
in
rec {
  # isFileset :: Any -> Bool
  # Whether a value is a file set, or a path, which stands for one.
  #   fileset.isFileset ./strings => true
  #   fileset.isFileset 1 => false
  isFileset = value: isPath value || (isAttrs value && value ? _type && value._type == "fileset");

  # maybeMissing :: Path -> FileSet
  # A path that need not exist.
  #   fileset.toList (fileset.maybeMissing ./no-such-thing) => [ ]
  maybeMissing = path: create (if builtins.pathExists path then coerce "maybeMissing" path else null);

  # union :: FileSet -> FileSet -> FileSet
  # The files of either.
  #   length (fileset.toList (fileset.union ./default.nix ./lists.nix)) => 2
  union = a: b: create (unionTrees (coerce "union" a) (coerce "union" b));

  # unions :: [FileSet] -> FileSet
  # The files of any.
  #   length (fileset.toList (fileset.unions [ ./default.nix ./lists.nix ./default.nix ])) => 2
  unions = list: create (builtins.foldl' unionTrees null (map (coerce "unions") list));

  # intersection :: FileSet -> FileSet -> FileSet
  # The files of both.
  #   fileset.toList (fileset.intersection ./. ./lists.nix) == [ ./lists.nix ] => true
  intersection = a: b: create (intersectTrees (coerce "intersection" a) (coerce "intersection" b));

  # difference :: FileSet -> FileSet -> FileSet
  # The files of the first that are not in the second.
  #   elem ./lists.nix (fileset.toList (fileset.difference ./. ./lists.nix)) => false
  #   elem ./default.nix (fileset.toList (fileset.difference ./. ./lists.nix)) => true
  difference = a: b: create (subtractTrees /. (coerce "difference" a) (coerce "difference" b));

  # fileFilter :: ({ name; type; hasExt; file; } -> Bool) -> Path -> FileSet
  # The files below a path for which a predicate holds.
  #   fileset.toList (fileset.fileFilter (f: f.hasExt "nix") ./strings) == [ ./strings/escape.nix ] => true
  fileFilter =
    predicate: path:
    if !isPath path then
      throw "lib.fileset.fileFilter: the second argument is a ${builtins.typeOf path}, not a path; use `intersection` for file sets"
    else
      create (lift (componentsOf path) (filterTree predicate path (builtins.readFileType path)));

  # fromSource :: Source -> FileSet
  # The files a source made by lib.sources lets through.
  #   fileset.toList (fileset.fromSource (sources.sourceByRegex ./strings [ ".*x.nix" ])) => [ ]
  fromSource =
    source:
    let
      isFiltered = source ? _isLibCleanSourceWith;
      path = if isFiltered then source.origSrc else source;
      keep = if isFiltered then source.filter else _: _: true;
      walk =
        dir:
        mapAttrs (
          name: type:
          let
            here = dir + "/${name}";
          in
          if !keep (toString here) type then
            null
          else if type == "directory" then
            walk here
          else
            type
        ) (readDir dir);
    in
    create (lift (componentsOf path) (walk path));

  # toList :: FileSet -> [Path]
  # The files, in order.
  #   fileset.toList ./strings == [ ./strings/escape.nix ] => true
  toList = fileset: filesOf /. (coerce "toList" fileset);

  # toSource :: { root :: Path; fileset :: FileSet; } -> Source
  # A copy in the store of the folder with only the set's files.
  #   isStringLike (fileset.toSource { root = ./.; fileset = ./strings; }) => true
  toSource =
    { root, fileset }:
    let
      rootComponents = componentsOf root;
      tree = descend "toSource" rootComponents (coerce "toSource" fileset);
      depth = builtins.length rootComponents;
      at = t: name: if t == null || isString t then t else t.${name} or null;
      includes =
        path: _type: !isEmpty (builtins.foldl' at tree (lib.drop depth (componentsOf path)));
    in
    if !isPath root then
      throw "lib.fileset.toSource: `root` is a ${builtins.typeOf root}, not a path"
    else if !lib.pathIsDirectory root then
      throw "lib.fileset.toSource: `root` `${toString root}` is no folder"
    else
      lib.cleanSourceWith {
        name = "source";
        src = root;
        filter = includes;
      };

  # trace :: FileSet -> a -> a
  # Prints a set's files when the second argument is forced.
  #   fileset.trace ./strings 1 => 1
  trace =
    fileset: builtins.trace (lib.concatMapStringsSep "\n" toString (toList fileset));

  # traceVal :: FileSet -> FileSet
  # Prints a set's files when it is forced.
  #   fileset.traceVal ./strings == ./strings => true
  traceVal = fileset: trace fileset fileset;

  # gitTracked :: Path -> FileSet
  # The files of a checkout that Git tracks.
  #   fails (fileset.gitTracked ./tests) => true
  gitTracked =
    path:
    let
      tracked = builtins.fetchGit {
        url = path;
        shallow = true;
      };
      mirror = dir: mapAttrs (name: type: if type == "directory" then mirror (dir + "/${name}") else type) (readDir dir);
    in
    create (lift (componentsOf path) (mirror tracked.outPath));
}
