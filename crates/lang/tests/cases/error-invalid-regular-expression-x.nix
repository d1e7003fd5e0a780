builtins.match "(x" "x"
