//! Stage 1: the /init program and the packer of initrds.
