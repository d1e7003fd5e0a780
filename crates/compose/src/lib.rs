//! What packages mean together: unpacking, maintainer scripts, views, /etc.
//!
//! Everything that decides is a pure function of loaded packages (`plan_*`); small appliers write the results. Nothing here
//! evaluates configuration, fetches, mounts, or runs a program of a package. DESIGN sections 5, 6 and 12 hold the reasons.
//!
//! The way of the data: `.deb` → [`unpack`] → package path → [`package`], with the [`effect`]s of its scripts ([`scripts`],
//! [`decisions`]) → [`view`] → image, link tree, hard-link tree; and, with the configuration's entries, → [`etc`].

pub mod accounts;
pub mod builders;
pub mod capabilities;
pub mod decisions;
pub mod dpkg_status;
pub mod effect;
pub mod etc;
pub mod location;
pub mod manifest;
pub mod nsswitch;
pub mod package;
pub mod pam;
pub mod scripts;
pub mod tmpfiles;
pub mod units;
pub mod unpack;
pub mod view;
