//! Mounting the /usr view: EROFS metadata under an overlay, and the atomic flip.
