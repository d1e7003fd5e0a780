builtins.replaceStrings [ "a" ] [ "b" "c" ] "x"
