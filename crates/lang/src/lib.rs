//! The evaluator and its builtins.
