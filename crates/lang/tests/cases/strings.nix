[
  (''
  foo
    bar ${"x"}
  baz
'')
  ("${toString 1.5} ${toString [ 1 2 [ ] 3 ]}")
  (builtins.concatStringsSep "," (builtins.attrNames { z = 1; a = 2; "m n" = 3; }))
  (builtins.replaceStrings ["a" ""] ["b" "-"] "banana")
  (builtins.substring 1 100 "hello")
  (''a''${b} ''\n '''c'')
  ([ (builtins.baseNameOf "/a/b/") (builtins.baseNameOf /a/b) (builtins.dirOf "/a/b") (builtins.dirOf /a/b) (builtins.dirOf "a") (baseNameOf "") (dirOf "/a") ])
  (builtins.stringLength "é")
  (builtins.replaceStrings [ "" ] [ "-" ] "ab")
  (builtins.replaceStrings [ "ab" "a" ] [ "1" "2" ] "abaa")
  (builtins.concatStringsSep ", " [ "a" "b" ])
  (''
    a
  ${"b"}

     c
'')
  (''
	tab
'')
  (''a'')
  (''   '')
]
