[
  (builtins.compareVersions "1.0pre1" "1.0")
  (map (x: builtins.compareVersions (builtins.head x) (builtins.elemAt x 1)) [ [ "1.0" "1.0.1" ] [ "2.3" "2.3pre" ] [ "a" "1" ] [ "1.a" "1.b" ] [ "" "1" ] [ "1" "" ] [ "1.0" "1.00" ] [ "1.0a" "1.0" ] [ "10" "9" ] [ "pre" "pre" ] [ "" "pre" ]])
  (builtins.splitVersion "1.2-3abc4..5")
  (map builtins.parseDrvName [ "hello-1.2" "a-b-c" "x-1-2" "-1" "foo-" "" "nix-0.12pre12876" ])
  (builtins.langVersion)
  (builtins.nixVersion)
]
