# Lists: building, searching, ordering, splitting.
#
# What it is not: sorting of strings by locale (byte order only) or anything that reads files.
{ lib }:
let
  inherit (builtins)
    attrValues
    concatLists
    elem
    elemAt
    filter
    genList
    isList
    length
    lessThan
    ;
  inherit (lib.trivial) compare;
in
rec {
  # Builtins that are part of this file's interface.
  inherit (builtins)
    all
    any
    concatLists
    concatMap
    elem
    elemAt
    filter
    foldl'
    genList
    head
    isList
    length
    map
    partition
    sort
    tail
    ;

  # singleton :: a -> [a]
  # A list of one element.
  #   singleton "a" => [ "a" ]
  singleton = x: [ x ];

  # forEach :: [a] -> (a -> b) -> [b]
  # `map` with its arguments swapped, for long function bodies.
  #   forEach [ 1 2 ] (x: x * 2) => [ 2 4 ]
  forEach = xs: f: map f xs;

  # foldr :: (a -> b -> b) -> b -> [a] -> b
  # Folds from the right.
  #   foldr (a: b: a + b) "z" [ "a" "b" ] => "abz"
  foldr =
    op: nul: list:
    let
      len = length list;
      go = n: if n == len then nul else op (elemAt list n) (go (n + 1));
    in
    go 0;

  # fold :: (a -> b -> b) -> b -> [a] -> b
  # The old name of `foldr`.
  #   fold (a: b: a + b) "" [ "a" "b" ] => "ab"
  fold = foldr;

  # foldl :: (b -> a -> b) -> b -> [a] -> b
  # Folds from the left, lazily.
  #   foldl (a: b: a + b) "z" [ "a" "b" ] => "zab"
  foldl =
    op: nul: list:
    let
      go = n: if n == -1 then nul else op (go (n - 1)) (elemAt list n);
    in
    go (length list - 1);

  # foldl1 :: (a -> a -> a) -> [a] -> a
  # Folds a list that is not empty from the left, starting with its first element.
  #   lists.foldl1 (a: b: a - b) [ 5 3 1 ] => 1
  foldl1 = op: list: builtins.foldl' op (head list) (tail list);

  # imap0 :: (Int -> a -> b) -> [a] -> [b]
  # `map` with the position, from 0.
  #   imap0 (i: v: "${v}${toString i}") [ "a" "b" ] => [ "a0" "b1" ]
  imap0 = f: list: genList (n: f n (elemAt list n)) (length list);

  # imap1 :: (Int -> a -> b) -> [a] -> [b]
  # `map` with the position, from 1.
  #   imap1 (i: v: "${v}${toString i}") [ "a" "b" ] => [ "a1" "b2" ]
  imap1 = f: list: genList (n: f (n + 1) (elemAt list n)) (length list);

  # ifilter0 :: (Int -> a -> Bool) -> [a] -> [a]
  # `filter` with the position, from 0.
  #   ifilter0 (i: v: i != 1) [ "a" "b" "c" ] => [ "a" "c" ]
  ifilter0 = pred: list: map (i: elemAt list i) (filter (i: pred i (elemAt list i)) (range 0 (length list - 1)));

  # flatten :: (a | [a]) -> [a]
  # One flat list from nested lists; a value that is no list becomes a list.
  #   flatten [ 1 [ 2 [ 3 ] ] ] => [ 1 2 3 ]
  #   flatten 1 => [ 1 ]
  flatten = x: if isList x then builtins.concatMap flatten x else [ x ];

  # remove :: a -> [a] -> [a]
  # All elements that differ from the given one.
  #   remove 1 [ 1 2 1 ] => [ 2 ]
  remove = e: filter (x: x != e);

  # findSingle :: (a -> Bool) -> a -> a -> [a] -> a
  # The one element that matches; the second argument if none does, the third if several do.
  #   findSingle (x: x == 3) "none" "multiple" [ 1 3 3 ] => "multiple"
  #   findSingle (x: x == 3) "none" "multiple" [ 1 3 ] => 3
  #   findSingle (x: x == 3) "none" "multiple" [ 9 ] => "none"
  findSingle =
    pred: default: multiple: list:
    let
      found = filter pred list;
    in
    if found == [ ] then
      default
    else if length found == 1 then
      head found
    else
      multiple;

  # findFirstIndex :: (a -> Bool) -> b -> [a] -> (Int | b)
  # The position of the first match, or the default.
  #   lists.findFirstIndex (x: x > 3) null [ 0 6 4 ] => 1
  #   lists.findFirstIndex (x: x > 9) null [ 0 6 4 ] => null
  findFirstIndex =
    pred: default: list:
    let
      # A negative accumulator counts the elements seen; once an element matches, its
      # position stays. Unlike recursion, the fold costs no stack on a long list.
      result = builtins.foldl' (
        found: el:
        if found >= 0 then
          found
        else if pred el then
          -found - 1
        else
          found - 1
      ) (-1) list;
    in
    if result < 0 then default else result;

  # findFirst :: (a -> Bool) -> a -> [a] -> a
  # The first element that matches, or the default.
  #   findFirst (x: x > 3) 7 [ 1 6 4 ] => 6
  #   findFirst (x: x > 9) 7 [ 1 6 4 ] => 7
  findFirst =
    pred: default: list:
    let
      index = findFirstIndex pred null list;
    in
    if index == null then default else elemAt list index;

  # count :: (a -> Bool) -> [a] -> Int
  # How many elements match.
  #   count (x: x == 3) [ 3 2 3 ] => 2
  count = pred: builtins.foldl' (c: x: if pred x then c + 1 else c) 0;

  # optional :: Bool -> a -> [a]
  # A list of the element, or an empty list.
  #   optional true 1 => [ 1 ]
  #   optional false 1 => [ ]
  optional = cond: elem: if cond then [ elem ] else [ ];

  # optionals :: Bool -> [a] -> [a]
  # The list, or an empty list.
  #   optionals true [ 1 2 ] => [ 1 2 ]
  #   optionals false [ 1 2 ] => [ ]
  optionals = cond: elems: if cond then elems else [ ];

  # toList :: (a | [a]) -> [a]
  # A list stays; anything else becomes a list of one.
  #   toList 1 => [ 1 ]
  #   toList [ 1 ] => [ 1 ]
  toList = x: if isList x then x else [ x ];

  # range :: Int -> Int -> [Int]
  # The whole numbers from the first to the last, both included.
  #   range 2 4 => [ 2 3 4 ]
  #   range 3 2 => [ ]
  range = first: last: if first > last then [ ] else genList (n: first + n) (last - first + 1);

  # replicate :: Int -> a -> [a]
  # The same element n times.
  #   replicate 3 "a" => [ "a" "a" "a" ]
  replicate = n: elem: genList (_: elem) n;

  # groupBy' :: (b -> a -> b) -> b -> (a -> String) -> [a] -> { String = b }
  # Folds the elements of each group.
  #   groupBy' (a: b: a + b) 0 (x: if x > 2 then "big" else "small") [ 5 1 2 3 ] => { big = 8; small = 3; }
  groupBy' =
    op: nul: pred: list:
    builtins.mapAttrs (name: builtins.foldl' op nul) (groupBy pred list);

  # groupBy :: (a -> String) -> [a] -> { String = [a] }
  # Sorts the elements into named groups, keeping their order.
  #   groupBy (x: if x > 2 then "big" else "small") [ 5 1 2 ] => { big = [ 5 ]; small = [ 1 2 ]; }
  groupBy = builtins.groupBy;

  # zipListsWith :: (a -> b -> c) -> [a] -> [b] -> [c]
  # Combines two lists element by element, as far as the shorter one goes.
  #   zipListsWith (a: b: a + b) [ 1 2 ] [ 10 20 30 ] => [ 11 22 ]
  zipListsWith =
    f: fst: snd:
    genList (n: f (elemAt fst n) (elemAt snd n)) (lib.min (length fst) (length snd));

  # zipLists :: [a] -> [b] -> [{ fst :: a; snd :: b; }]
  # Pairs two lists.
  #   zipLists [ 1 ] [ "a" ] => [ { fst = 1; snd = "a"; } ]
  zipLists = zipListsWith (fst: snd: { inherit fst snd; });

  # reverseList :: [a] -> [a]
  # The list backwards.
  #   reverseList [ 1 2 3 ] => [ 3 2 1 ]
  reverseList =
    xs:
    let
      len = length xs;
    in
    genList (n: elemAt xs (len - n - 1)) len;

  # listDfs :: Bool -> (a -> a -> Bool) -> [a] -> AttrSet
  # Walks depth-first from the first element along `before`; the result has either `result`
  # (minimal, visited, rest) or `cycle` and `loops`.
  #   (listDfs true hasPrefix [ "/home/user" "other" "/" "/home" ]).minimal => "/"
  listDfs =
    stopOnCycles: before: list:
    let
      visit =
        us: visited: rest:
        let
          candidates = filter (x: before x us) visited;
          split = builtins.partition (x: before x us) rest;
        in
        if stopOnCycles && candidates != [ ] then
          {
            cycle = us;
            loops = candidates;
            inherit visited rest;
          }
        else if split.right == [ ] then
          {
            minimal = us;
            inherit visited rest;
          }
        else
          visit (head split.right) ([ us ] ++ visited) (tail split.right ++ split.wrong);
    in
    visit (head list) [ ] (tail list);

  # toposort :: (a -> a -> Bool) -> [a] -> AttrSet
  # Orders a list so that `before a b` puts a first: `{ result }`, or `{ cycle; loops; }`.
  #   (toposort hasPrefix [ "/home/user" "other" "/" "/home" ]).result => [ "/" "/home" "/home/user" "other" ]
  #   (toposort (a: b: a < b) [ 3 2 1 ]).result => [ 1 2 3 ]
  toposort =
    before: list:
    let
      step = listDfs true before list;
      rest = toposort before (step.visited ++ step.rest);
    in
    if length list < 2 then
      { result = list; }
    else if step ? cycle then
      {
        cycle = reverseList ([ step.cycle ] ++ step.visited);
        inherit (step) loops;
      }
    else if rest ? cycle then
      rest
    else
      { result = [ step.minimal ] ++ rest.result; };

  # sortOn :: (a -> b) -> [a] -> [a]
  # Sorts by a key that is computed once per element; stable.
  #   sortOn stringLength [ "aaa" "b" "cc" ] => [ "b" "cc" "aaa" ]
  sortOn =
    f: list:
    map (x: elemAt x 1) (
      builtins.sort (a: b: head a < head b) (
        map (x: [
          (f x)
          x
        ]) list
      )
    );

  # compareLists :: (a -> a -> Int) -> [a] -> [a] -> Int
  # Compares two lists element by element.
  #   compareLists compare [ ] [ "a" ] => (-1)
  #   compareLists compare [ 1 2 ] [ 1 2 ] => 0
  #   compareLists compare [ 2 ] [ 1 9 ] => 1
  compareLists =
    cmp: a: b:
    if a == [ ] then
      (if b == [ ] then 0 else -1)
    else if b == [ ] then
      1
    else
      let
        first = cmp (head a) (head b);
      in
      if first == 0 then compareLists cmp (tail a) (tail b) else first;

  # naturalSort :: [String] -> [String]
  # Sorts strings with the numbers in them compared as numbers.
  #   naturalSort [ "disk11" "disk8" "disk100" ] => [ "disk8" "disk11" "disk100" ]
  naturalSort =
    list:
    let
      # Text and numbers alternate, so equal positions always hold the same kind.
      vectorise =
        s: map (x: if isList x then map lib.toIntBase10 x else [ x ]) (builtins.split "(0|[1-9][0-9]*)" s);
      less = a: b: compareLists (compareLists compare) (head a) (head b) < 0;
    in
    map (x: elemAt x 1) (
      builtins.sort less (
        map (x: [
          (vectorise x)
          x
        ]) list
      )
    );

  # take :: Int -> [a] -> [a]
  # The first n elements, or all.
  #   take 2 [ 1 2 3 ] => [ 1 2 ]
  take = count: sublist 0 count;

  # takeEnd :: Int -> [a] -> [a]
  # The last n elements, or all.
  #   takeEnd 2 [ 1 2 3 ] => [ 2 3 ]
  takeEnd = n: xs: drop (lib.max 0 (length xs - n)) xs;

  # drop :: Int -> [a] -> [a]
  # The list without its first n elements.
  #   drop 2 [ 1 2 3 ] => [ 3 ]
  drop = count: list: sublist count (length list) list;

  # dropEnd :: Int -> [a] -> [a]
  # The list without its last n elements.
  #   dropEnd 2 [ 1 2 3 ] => [ 1 ]
  dropEnd = n: xs: take (lib.max 0 (length xs - n)) xs;

  # hasPrefix :: [a] -> [a] -> Bool
  # Whether the second list starts with the first.
  #   lists.hasPrefix [ 1 ] [ 1 2 ] => true
  hasPrefix = prefix: list: take (length prefix) list == prefix;

  # removePrefix :: [a] -> [a] -> [a]
  # The second list without the first at its start; fails when it does not start with it.
  #   lists.removePrefix [ 1 ] [ 1 2 ] => [ 2 ]
  removePrefix =
    prefix: list:
    if hasPrefix prefix list then
      drop (length prefix) list
    else
      throw "lib.lists.removePrefix: the first argument is not a prefix of the second";

  # sublist :: Int -> Int -> [a] -> [a]
  # At most `count` elements from position `start`.
  #   sublist 1 2 [ "a" "b" "c" "d" ] => [ "b" "c" ]
  #   sublist 5 2 [ "a" ] => [ ]
  sublist =
    start: count: list:
    let
      len = length list;
    in
    genList (n: elemAt list (n + start)) (
      if start >= len then
        0
      else if start + count > len then
        len - start
      else
        count
    );

  # commonPrefix :: [a] -> [a] -> [a]
  # What two lists have in common at their start.
  #   lists.commonPrefix [ 1 2 3 ] [ 1 2 9 ] => [ 1 2 ]
  commonPrefix =
    list1: list2:
    let
      shorter = lib.min (length list1) (length list2);
      differs = i: elemAt list1 i != elemAt list2 i;
    in
    take (findFirstIndex differs shorter (range 0 (shorter - 1))) list1;

  # last :: [a] -> a
  # The last element; fails on an empty list.
  #   last [ 1 2 ] => 2
  #   fails (last [ ]) => true
  last =
    list:
    if list == [ ] then throw "lists.last: the list is empty" else elemAt list (length list - 1);

  # init :: [a] -> [a]
  # All but the last element; fails on an empty list.
  #   init [ 1 2 3 ] => [ 1 2 ]
  init =
    list: if list == [ ] then throw "lists.init: the list is empty" else take (length list - 1) list;

  # crossLists :: (a -> b -> c) -> [[a]] -> [c]
  # Applies a function to every combination; the old form of `mapCartesianProduct`.
  #   crossLists (x: y: x + y) [ [ 1 2 ] [ 10 20 ] ] => [ 11 21 12 22 ]
  crossLists = f: builtins.foldl' (fs: args: builtins.concatMap (f: map f args) fs) [ f ];

  # unique :: [a] -> [a]
  # Drops repeated elements, keeping the first of each.
  #   unique [ 3 2 3 4 ] => [ 3 2 4 ]
  unique = builtins.foldl' (acc: e: if elem e acc then acc else acc ++ [ e ]) [ ];

  # uniqueStrings :: [String] -> [String]
  # As `unique` for strings, fast, and sorted.
  #   uniqueStrings [ "b" "a" "b" ] => [ "a" "b" ]
  uniqueStrings = list: builtins.attrNames (groupBy lib.id list);

  # allUnique :: [a] -> Bool
  # Whether no element repeats.
  #   allUnique [ 3 2 3 ] => false
  allUnique = list: length (unique list) == length list;

  # intersectLists :: [a] -> [a] -> [a]
  # The elements of the second list that are in the first.
  #   intersectLists [ 1 2 3 ] [ 6 3 2 ] => [ 3 2 ]
  intersectLists = e: filter (x: elem x e);

  # subtractLists :: [a] -> [a] -> [a]
  # The elements of the second list that are not in the first.
  #   subtractLists [ 3 2 ] [ 1 2 3 4 ] => [ 1 4 ]
  subtractLists = e: filter (x: !(elem x e));

  # mutuallyExclusive :: [a] -> [a] -> Bool
  # Whether two lists share no element.
  #   mutuallyExclusive [ 1 ] [ 2 ] => true
  mutuallyExclusive = a: b: length a == 0 || !(builtins.any (x: elem x a) b);

  # concatAttrValues :: { String = [a] } -> [a]
  # The lists of an attribute set, joined in the order of their names.
  #   concatAttrValues { b = [ 2 ]; a = [ 1 ]; } => [ 1 2 ]
  concatAttrValues = set: concatLists (attrValues set);

  # replaceElemAt :: [a] -> Int -> a -> [a]
  # The list with one element replaced; fails outside the list.
  #   lists.replaceElemAt [ "a" "b" ] 1 "x" => [ "a" "x" ]
  replaceElemAt =
    list: index: value:
    if index < 0 || index >= length list then
      throw "lists.replaceElemAt: index ${toString index} is outside a list of ${toString (length list)}"
    else
      imap0 (i: v: if i == index then value else v) list;
}
