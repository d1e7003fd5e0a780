//! From an old toplevel to a new one on the running machine.
