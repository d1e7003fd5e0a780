builtins.unsafeGetAttrPos "a" {
  b = 1;
    a = 2;
}