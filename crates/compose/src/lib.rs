//! What packages mean together: unpacking, maintainer scripts, views, /etc.
