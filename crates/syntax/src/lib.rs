//! The Nix language: text to syntax tree and all its errors.
