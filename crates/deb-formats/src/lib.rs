//! Debian's formats: .deb, control data, Packages and Release files, versions, relations.
