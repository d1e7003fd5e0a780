builtins.scopedImport { x = 5; } (builtins.toFile "s" "x")
