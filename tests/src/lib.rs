//! Stories about whole systems.
