[
  (builtins.hashString "sha256" "abc")
  (builtins.hashString "sha512" "abc")
  (builtins.convertHash { hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="; toHashFormat = "nix32"; })
]
