[
  (map (x: x * x) (builtins.genList (x: x) 5))
  (builtins.sort (a: b: a < b) [ 3 1 2 ])
  (let l = [ a b ]; a = 1; b = l; in builtins.length b)
  ([ 1 2 ] ++ [ 3 ])
  (builtins.genericClosure { startSet = [ { key = 0; } ]; operator = { key }: if key > 3 then [ ] else [ { key = key + 1; } ]; })
  (builtins.foldl' (a: b: a + b) 0 [1 2 3])
  (builtins.concatMap (x: [ x x ]) [ 1 2 ])
  (builtins.groupBy (x: if x > 1 then "big" else "small") [ 1 2 3 ])
  (builtins.partition (x: x > 1) [ 1 2 3 ])
  (builtins.foldl' (a: b: a) 0 [ (throw "x") ])
  (builtins.sort builtins.lessThan [ "b" "a" ])
  (let l = builtins.genList (x: x) 3; in builtins.tail l)
]
