//! Nix's formats: store paths, hashes, base32, NAR, ATerm derivations, narinfo, signatures.
