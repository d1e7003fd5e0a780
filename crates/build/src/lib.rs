//! Realising derivations: schedule, logs, substitution, builtin builders.
