//! Debian's formats as values: binary packages, control data, repository indices, versions, relations, system ids, and
//! what maintainer scripts would do.
//!
//! Everything here works on bytes or on a `Read` the caller gives. Nothing opens a file or a network connection, checks a
//! signature, or runs a maintainer script.
//!
//! Sources: deb(5), deb-control(5), deb-version(7), deb-substvars(5), Debian Policy chapters 5 to 7 and 9.2, and
//! <https://wiki.debian.org/DebianRepository/Format>.

pub mod control;
pub mod deb;
pub mod ids;
pub mod maintainer_script;
pub mod packages;
pub mod relation;
pub mod release;
pub mod version;
