//! Pinned Debian snapshots, dependency solving, conflicts explained.
