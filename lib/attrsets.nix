# Attribute sets: paths into them, mapping, filtering, merging.
#
# What it is not: the module system's merge; these functions know nothing of priorities.
{ lib }:
let
  inherit (builtins)
    attrNames
    concatLists
    concatMap
    elemAt
    foldl'
    head
    isAttrs
    length
    listToAttrs
    tail
    ;
  inherit (lib.trivial) id;
in
rec {
  # Builtins that are part of this file's interface.
  inherit (builtins)
    attrNames
    attrValues
    catAttrs
    getAttr
    hasAttr
    intersectAttrs
    isAttrs
    listToAttrs
    mapAttrs
    removeAttrs
    zipAttrsWith
    ;

  # attrByPath :: [String] -> a -> AttrSet -> a
  # The value at a path, or a default.
  #   attrByPath [ "a" "b" ] 0 { a.b = 1; } => 1
  #   attrByPath [ "a" "c" ] 0 { a.b = 1; } => 0
  attrByPath =
    path: default: set:
    let
      len = length path;
      go =
        n: value:
        if n == len then
          value
        else if value ? ${elemAt path n} then
          go (n + 1) value.${elemAt path n}
        else
          default;
    in
    go 0 set;

  # hasAttrByPath :: [String] -> AttrSet -> Bool
  # Whether a path exists.
  #   hasAttrByPath [ "a" "b" ] { a.b = 1; } => true
  #   hasAttrByPath [ "a" "c" ] { a.b = 1; } => false
  hasAttrByPath =
    path: set:
    let
      len = length path;
      go = n: value: n == len || (value ? ${elemAt path n} && go (n + 1) value.${elemAt path n});
    in
    go 0 set;

  # longestValidPathPrefix :: [String] -> AttrSet -> [String]
  # As much of a path as exists.
  #   attrsets.longestValidPathPrefix [ "a" "b" "c" ] { a.b = 1; } => [ "a" "b" ]
  longestValidPathPrefix =
    path: set:
    let
      len = length path;
      go =
        n: value:
        if n < len && value ? ${elemAt path n} then go (n + 1) value.${elemAt path n} else n;
    in
    lib.take (go 0 set) path;

  # setAttrByPath :: [String] -> a -> AttrSet
  # Nested attribute sets with a value at the end of a path.
  #   setAttrByPath [ "a" "b" ] 3 => { a.b = 3; }
  setAttrByPath = path: value: lib.foldr (name: inner: { ${name} = inner; }) value path;

  # getAttrFromPath :: [String] -> AttrSet -> a
  # The value at a path; fails when it is absent.
  #   getAttrFromPath [ "a" "b" ] { a.b = 3; } => 3
  #   fails (getAttrFromPath [ "a" "c" ] { a.b = 3; }) => true
  getAttrFromPath =
    path: set:
    attrByPath path (throw "cannot find attribute `${lib.concatStringsSep "." path}`") set;

  # concatMapAttrs :: (String -> a -> AttrSet) -> AttrSet -> AttrSet
  # Maps each attribute to a set and merges the results.
  #   concatMapAttrs (n: v: { ${n} = v; ${n + "2"} = v * 2; }) { a = 1; } => { a = 1; a2 = 2; }
  concatMapAttrs = f: v: foldl' (a: b: a // b) { } (attrValues (builtins.mapAttrs f v));

  # updateManyAttrsByPath :: [{ path :: [String]; update :: a -> b; }] -> AttrSet -> AttrSet
  # Changes the values at several paths; deeper updates of one path come first.
  #   updateManyAttrsByPath [ { path = [ "a" "b" ]; update = old: old + 1; } ] { a.b = 0; } => { a.b = 1; }
  #   updateManyAttrsByPath [ { path = [ "x" ]; update = old: 5; } ] { a = 1; } => { a = 1; x = 5; }
  updateManyAttrsByPath =
    let
      go =
        prefixLength: hasValue: value: updates:
        let
          split = builtins.partition (el: length el.path == prefixLength) updates;
          nested = lib.groupBy (el: elemAt el.path prefixLength) split.wrong;
          withNested =
            if split.wrong == [ ] then
              if hasValue then
                value
              else
                throw "updateManyAttrsByPath: the path `${showAttrPath (head split.right).path}` does not exist in the given value, but its update needs the old value"
            else if hasValue && !isAttrs value then
              throw "updateManyAttrsByPath: the path `${showAttrPath (head split.wrong).path}` goes through a value that is no attribute set"
            else
              (if hasValue then value else { })
              // builtins.mapAttrs (
                name: go (prefixLength + 1) (hasValue && value ? ${name}) (value.${name} or null)
              ) nested;
          # The first update of the list is applied first.
          result = foldl' (acc: el: el.update acc) withNested split.right;
        in
        if split.right == [ ] then withNested else result;
    in
    updates: value: go 0 true value updates;

  # attrVals :: [String] -> AttrSet -> [a]
  # The values of the given names, in their order.
  #   attrVals [ "b" "a" ] { a = 1; b = 2; } => [ 2 1 ]
  attrVals = names: set: map (name: set.${name}) names;

  # getAttrs :: [String] -> AttrSet -> AttrSet
  # A subset; fails for a name that is absent.
  #   getAttrs [ "a" ] { a = 1; b = 2; } => { a = 1; }
  getAttrs = names: attrs: genAttrs names (name: attrs.${name});

  # filterAttrs :: (String -> a -> Bool) -> AttrSet -> AttrSet
  # The attributes for which a predicate holds.
  #   filterAttrs (n: v: n == "a") { a = 1; b = 2; } => { a = 1; }
  filterAttrs =
    pred: set:
    builtins.removeAttrs set (builtins.filter (name: !pred name set.${name}) (attrNames set));

  # filterAttrsRecursive :: (String -> a -> Bool) -> AttrSet -> AttrSet
  # As `filterAttrs`, and inside of what stays.
  #   filterAttrsRecursive (n: v: v != null) { a = null; b.c = null; } => { b = { }; }
  filterAttrsRecursive =
    pred: set:
    listToAttrs (
      concatMap (
        name:
        let
          v = set.${name};
        in
        if pred name v then
          [ (nameValuePair name (if isAttrs v then filterAttrsRecursive pred v else v)) ]
        else
          [ ]
      ) (attrNames set)
    );

  # foldlAttrs :: (a -> String -> b -> a) -> a -> AttrSet -> a
  # Folds over names and values in the order of the names.
  #   foldlAttrs (acc: n: v: acc + n + v) "" { b = "2"; a = "1"; } => "a1b2"
  foldlAttrs =
    f: init: set:
    foldl' (acc: name: f acc name set.${name}) init (attrNames set);

  # foldAttrs :: (a -> b -> b) -> b -> [AttrSet] -> AttrSet
  # Folds the values of each name over a list of sets, from the right.
  #   foldAttrs (a: acc: [ a ] ++ acc) [ ] [ { a = 2; } { a = 3; b = 4; } ] => { a = [ 2 3 ]; b = [ 4 ]; }
  foldAttrs =
    op: nul: sets:
    builtins.mapAttrs (name: values: lib.foldr op nul values) (zipAttrs sets);

  # collect :: (AttrSet -> Bool) -> AttrSet -> [a]
  # All values, searched depth-first, for which a predicate holds; does not look inside a match.
  #   collect isList { a.b = [ 1 ]; c = [ 2 ]; } => [ [ 1 ] [ 2 ] ]
  collect =
    pred: attrs:
    if pred attrs then
      [ attrs ]
    else if isAttrs attrs then
      concatMap (collect pred) (attrValues attrs)
    else
      [ ];

  # cartesianProduct :: { String = [a] } -> [AttrSet]
  # Every combination of one value per name.
  #   cartesianProduct { a = [ 1 2 ]; b = [ 3 ]; } => [ { a = 1; b = 3; } { a = 2; b = 3; } ]
  cartesianProduct =
    sets:
    foldl' (
      acc: name: concatMap (partial: map (value: partial // { ${name} = value; }) sets.${name}) acc
    ) [ { } ] (attrNames sets);

  # cartesianProductOfSets :: { String = [a] } -> [AttrSet]
  # The old name of `cartesianProduct`.
  #   cartesianProductOfSets { a = [ 1 ]; } => [ { a = 1; } ]
  cartesianProductOfSets = cartesianProduct;

  # mapCartesianProduct :: (AttrSet -> b) -> { String = [a] } -> [b]
  # Applies a function to every combination.
  #   mapCartesianProduct ({ a, b }: a + b) { a = [ 1 2 ]; b = [ 10 ]; } => [ 11 12 ]
  mapCartesianProduct = f: sets: map f (cartesianProduct sets);

  # nameValuePair :: String -> a -> { name :: String; value :: a; }
  # What `listToAttrs` takes.
  #   nameValuePair "a" 1 => { name = "a"; value = 1; }
  nameValuePair = name: value: { inherit name value; };

  # mapAttrs' :: (String -> a -> { name; value; }) -> AttrSet -> AttrSet
  # Maps names and values.
  #   mapAttrs' (n: v: nameValuePair "x-${n}" (v + 1)) { a = 1; } => { x-a = 2; }
  mapAttrs' = f: set: listToAttrs (mapAttrsToList f set);

  # mapAttrsToList :: (String -> a -> b) -> AttrSet -> [b]
  # Maps each attribute to a list element, in the order of the names.
  #   mapAttrsToList (n: v: n + v) { b = "2"; a = "1"; } => [ "a1" "b2" ]
  mapAttrsToList = f: attrs: attrValues (builtins.mapAttrs f attrs);

  # attrsToList :: AttrSet -> [{ name; value; }]
  # The inverse of `listToAttrs`.
  #   attrsToList { a = 1; } => [ { name = "a"; value = 1; } ]
  attrsToList = mapAttrsToList nameValuePair;

  # mapAttrsRecursive :: ([String] -> a -> b) -> AttrSet -> AttrSet
  # Maps all values that are no attribute sets, with their paths.
  #   mapAttrsRecursive (path: v: concatStringsSep "." path) { a.b = 1; } => { a.b = "a.b"; }
  mapAttrsRecursive = mapAttrsRecursiveCond (as: true);

  # mapAttrsRecursiveCond :: (AttrSet -> Bool) -> ([String] -> a -> b) -> AttrSet -> AttrSet
  # As `mapAttrsRecursive`, going only into sets for which a condition holds.
  #   mapAttrsRecursiveCond (as: !(as ? stop)) (path: v: "x") { a.stop = 1; b.c = 1; } => { a = "x"; b.c = "x"; }
  mapAttrsRecursiveCond =
    cond: f: set:
    let
      go =
        path:
        builtins.mapAttrs (
          name: value:
          let
            here = path ++ [ name ];
          in
          if isAttrs value && cond value then go here value else f here value
        );
    in
    go [ ] set;

  # mapAttrsToListRecursive :: ([String] -> a -> b) -> AttrSet -> [b]
  # The values that are no attribute sets as a flat list, mapped with their paths.
  #   mapAttrsToListRecursive (path: v: "${concatStringsSep "." path}=${v}") { a.b = "1"; } => [ "a.b=1" ]
  mapAttrsToListRecursive = mapAttrsToListRecursiveCond (path: set: true);

  # mapAttrsToListRecursiveCond :: ([String] -> AttrSet -> Bool) -> ([String] -> a -> b) -> AttrSet -> [b]
  # As `mapAttrsToListRecursive`, going only into sets for which a condition holds.
  #   mapAttrsToListRecursiveCond (p: as: !(as ? stop)) (p: v: p) { a.stop = 1; } => [ [ "a" ] ]
  mapAttrsToListRecursiveCond =
    cond: f: set:
    let
      go =
        path: value: if isAttrs value && cond path value then inside path value else [ (f path value) ];
      inside = path: value: concatLists (mapAttrsToList (name: go (path ++ [ name ])) value);
    in
    inside [ ] set;

  # genAttrs :: [String] -> (String -> a) -> AttrSet
  # A set with the given names and a value computed from each.
  #   genAttrs [ "a" "b" ] (n: n + "!") => { a = "a!"; b = "b!"; }
  genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);

  # genAttrs' :: [a] -> (a -> { name; value; }) -> AttrSet
  # As `genAttrs`, with names computed too.
  #   genAttrs' [ 1 ] (n: nameValuePair "n${toString n}" n) => { n1 = 1; }
  genAttrs' = xs: f: listToAttrs (map f xs);

  # isDerivation :: Any -> Bool
  # Whether a value is a derivation.
  #   isDerivation { type = "derivation"; } => true
  #   isDerivation 1 => false
  isDerivation = value: (value.type or null) == "derivation";

  # toDerivation :: Path -> AttrSet
  # Dresses a store path as a derivation.
  #   (toDerivation "${builtins.storeDir}/00000000000000000000000000000000-a").name => "a"
  toDerivation =
    path:
    let
      path' =
        if builtins ? storePath && builtins.pathExists path then builtins.storePath path else path;
      res = {
        type = "derivation";
        name = lib.strings.sanitizeDerivationName (builtins.substring 33 (-1) (baseNameOf path'));
        outPath = path';
        outputs = [ "out" ];
        out = res;
        outputName = "out";
      };
    in
    res;

  # optionalAttrs :: Bool -> AttrSet -> AttrSet
  # The set, or an empty one.
  #   optionalAttrs true { a = 1; } => { a = 1; }
  #   optionalAttrs false { a = 1; } => { }
  optionalAttrs = cond: as: if cond then as else { };

  # zipAttrsWithNames :: [String] -> (String -> [a] -> b) -> [AttrSet] -> AttrSet
  # Combines the values of the given names over a list of sets.
  #   zipAttrsWithNames [ "a" ] (n: vs: vs) [ { a = 1; b = 2; } { a = 3; } ] => { a = [ 1 3 ]; }
  zipAttrsWithNames =
    names: f: sets:
    genAttrs names (name: f name (builtins.catAttrs name sets));

  # zipAttrs :: [AttrSet] -> { String = [a] }
  # The values of every name over a list of sets.
  #   zipAttrs [ { a = 1; } { a = 2; b = 3; } ] => { a = [ 1 2 ]; b = [ 3 ]; }
  zipAttrs = builtins.zipAttrsWith (name: values: values);

  # mergeAttrsList :: [AttrSet] -> AttrSet
  # `//` over a list, in time n log n.
  #   mergeAttrsList [ { a = 1; } { b = 2; } { a = 3; } ] => { a = 3; b = 2; }
  mergeAttrsList =
    list:
    let
      merge =
        start: end:
        if end - start >= 2 then
          merge start (start + (end - start) / 2) // merge (start + (end - start) / 2) end
        else
          elemAt list start;
    in
    if list == [ ] then { } else merge 0 (length list);

  # recursiveUpdateUntil :: ([String] -> a -> b -> Bool) -> AttrSet -> AttrSet -> AttrSet
  # Merges two sets, going deeper until a predicate of path, left and right holds.
  #   recursiveUpdateUntil (p: l: r: p == [ "a" ]) { a.x = 1; b.x = 1; } { a.y = 2; b.y = 2; } => { a.y = 2; b = { x = 1; y = 2; }; }
  recursiveUpdateUntil =
    pred: lhs: rhs:
    let
      go =
        path:
        builtins.zipAttrsWith (
          name: values:
          let
            here = path ++ [ name ];
          in
          if length values == 1 || pred here (elemAt values 1) (head values) then
            head values
          else
            go here values
        );
    in
    go [ ] [
      rhs
      lhs
    ];

  # recursiveUpdate :: AttrSet -> AttrSet -> AttrSet
  # Merges two sets and the sets within them; the right side wins.
  #   recursiveUpdate { a.x = 1; b = 1; } { a.y = 2; b = 2; } => { a = { x = 1; y = 2; }; b = 2; }
  recursiveUpdate = recursiveUpdateUntil (path: lhs: rhs: !(isAttrs lhs && isAttrs rhs));

  # matchAttrs :: AttrSet -> AttrSet -> Bool
  # Whether the second set has everything that the first says.
  #   matchAttrs { cpu.bits = 64; } { cpu = { bits = 64; name = "x"; }; } => true
  #   matchAttrs { cpu.bits = 64; } { cpu.bits = 32; } => false
  matchAttrs =
    pattern: attrs:
    builtins.all (
      name:
      attrs ? ${name}
      && (
        if isAttrs pattern.${name} && isAttrs attrs.${name} then
          matchAttrs pattern.${name} attrs.${name}
        else
          pattern.${name} == attrs.${name}
      )
    ) (attrNames pattern);

  # overrideExisting :: AttrSet -> AttrSet -> AttrSet
  # Replaces values of names that exist already; adds none.
  #   overrideExisting { a = 1; } { a = 2; b = 3; } => { a = 2; }
  overrideExisting = old: new: old // builtins.intersectAttrs old new;

  # showAttrPath :: [String] -> String
  # A path as one writes it.
  #   showAttrPath [ "a" "b c" ] => "a.\"b c\""
  showAttrPath =
    path:
    if path == [ ] then
      "<root attribute path>"
    else
      lib.concatMapStringsSep "." lib.strings.escapeNixIdentifier path;

  # getOutput :: String -> Derivation -> Derivation
  # A derivation's output of that name, or the derivation.
  #   getOutput "dev" { dev = 1; outputs = [ "out" "dev" ]; } => 1
  #   (getOutput "dev" { type = "derivation"; x = 1; }).x => 1
  getOutput =
    output: pkg:
    if !pkg ? outputSpecified || !pkg.outputSpecified then
      pkg.${output} or pkg.out or pkg
    else
      pkg;

  # getFirstOutput :: [String] -> Derivation -> Derivation
  # The first of the named outputs that exists, or the derivation.
  #   getFirstOutput [ "include" "dev" ] { dev = 1; } => 1
  getFirstOutput =
    candidates: pkg:
    let
      output = lib.findFirst (name: pkg ? ${name}) null candidates;
    in
    if pkg.outputSpecified or false || output == null then pkg else pkg.${output};

  # getBin :: Derivation -> Derivation
  # The output with programs.
  #   getBin { bin = 1; out = 2; } => 1
  getBin = getOutput "bin";

  # getLib :: Derivation -> Derivation
  # The output with libraries.
  #   getLib { lib = 1; out = 2; } => 1
  getLib = getOutput "lib";

  # getStatic :: Derivation -> Derivation
  # The output with static libraries.
  #   getStatic { static = 1; out = 2; } => 1
  getStatic = getFirstOutput [
    "static"
    "lib"
    "out"
  ];

  # getDev :: Derivation -> Derivation
  # The output with headers.
  #   getDev { dev = 1; out = 2; } => 1
  getDev = getOutput "dev";

  # getInclude :: Derivation -> Derivation
  # The output with headers alone.
  #   getInclude { include = 1; dev = 2; } => 1
  getInclude = getFirstOutput [
    "include"
    "dev"
    "out"
  ];

  # getMan :: Derivation -> Derivation
  # The output with manual pages.
  #   getMan { man = 1; out = 2; } => 1
  getMan = getOutput "man";

  # chooseDevOutputs :: [Derivation] -> [Derivation]
  # `getDev` of each.
  #   chooseDevOutputs [ { dev = 1; } ] => [ 1 ]
  chooseDevOutputs = map getDev;

  # recurseIntoAttrs :: AttrSet -> AttrSet
  # Marks a set of derivations as worth descending into.
  #   recurseIntoAttrs { a = 1; } => { a = 1; recurseForDerivations = true; }
  recurseIntoAttrs = attrs: attrs // { recurseForDerivations = true; };

  # dontRecurseIntoAttrs :: AttrSet -> AttrSet
  # Marks a set as not worth descending into.
  #   dontRecurseIntoAttrs { } => { recurseForDerivations = false; }
  dontRecurseIntoAttrs = attrs: attrs // { recurseForDerivations = false; };

  # unionOfDisjoint :: AttrSet -> AttrSet -> AttrSet
  # `//` for sets that share no name; a shared name fails when it is used.
  #   attrsets.unionOfDisjoint { a = 1; } { b = 2; } => { a = 1; b = 2; }
  #   fails (attrsets.unionOfDisjoint { a = 1; } { a = 2; }).a => true
  unionOfDisjoint =
    x: y:
    let
      both = builtins.intersectAttrs x y;
      mask = builtins.mapAttrs (
        name: value: throw "unionOfDisjoint: both sets have `${name}`"
      ) both;
    in
    (x // y) // mask;
}
