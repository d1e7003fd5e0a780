//! Typed system calls; the one crate with unsafe code.
