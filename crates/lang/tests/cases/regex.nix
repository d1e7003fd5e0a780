[
  (builtins.match "a(b)?c(d*)" "acdd")
  (builtins.match "(a|ab)(c|bcd)(d*)" "abcd")
  (builtins.split "(a)|b" "xaybz")
  (builtins.split "" "abc")
  (builtins.split "a*" "baac")
  (builtins.split "([[:upper:]]+)" " FOO ")
  (builtins.match "[[:space:]]+([^[:space:]]+)[[:space:]]+" "  foo   ")
  (builtins.match "x\\.y" "x.y")
]
