//! The store: SQLite database, roots, locks, garbage collection, verification.
