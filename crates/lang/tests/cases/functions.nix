[
  (let fib = n: if n < 2 then n else fib (n - 1) + fib (n - 2); in fib 20)
  (let f = x: y: z: [ x y z ]; g = f 1; in g 2 3)
  (a: a)
  ({ x = builtins.add; y = a: a; })
  (x:x)
  ([ (1 == 1.0) ([ 1 2 ] == [ 1 2 ]) ({ a = 1; } == { a = 1; }) ((a: a) == (a: a)) ])
  (builtins.typeOf (x: x))
  ((a: b: a) 1)
]
