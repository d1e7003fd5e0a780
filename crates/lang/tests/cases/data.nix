[
  (builtins.fromJSON "{\"a\": [1, 2.5, -3, 1e3, \"x\\u00e9\\ud83d\\ude00\"], \"b\": null}")
  (builtins.fromTOML "a = 1\nb = [1, 2]\n[c.d]\ne = \"x\"\nf = 1.5")
]
