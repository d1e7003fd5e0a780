[
  (builtins.tryEval (throw "x"))
  (1.0)
  (builtins.add 1)
  ("\${a} $${b} \n")
  (1.5e3)
  (.5)
  ([1.2.3])
  (builtins.tryEval (assert false; 1))
  (builtins.isFunction builtins.add)
]
