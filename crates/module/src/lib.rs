//! The module system: options, types, merging, priorities, option docs.
