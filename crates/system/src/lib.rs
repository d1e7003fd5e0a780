//! Evaluation bound to store and build: configuration to toplevel.
