//! The effects a script can have on a new system, as values. Paths are absolute.

/// One effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A unit is enabled as its `[Install]` section says (deb-systemd-helper, systemctl).
    EnableUnit {
        /// The unit.
        unit: String,
        /// Whose manager's.
        scope: UnitScope,
    },
    /// A unit would be started once the package is configured.
    StartUnit {
        /// The unit.
        unit: String,
        /// Whose manager's.
        scope: UnitScope,
    },
    /// A SysV init script is registered (update-rc.d); units of the same name take precedence over it.
    InitScript {
        /// The script's name in /etc/init.d.
        name: String,
    },
    /// tmpfiles.d(5) files are applied, by name.
    Tmpfiles {
        /// The file.
        file: String,
    },
    /// sysusers.d(5) files are applied, by name.
    Sysusers {
        /// The file.
        file: String,
    },
    /// update-alternatives(1) `--install`.
    Alternative(Alternative),
    /// dpkg-divert(1): another package's file `from` is put at `to`.
    Diversion {
        /// The diverted path.
        from: String,
        /// Where it goes.
        to: String,
    },
    /// Mode or owner of a path (chmod, chown, chgrp, dpkg-statoverride).
    Permissions {
        /// The path.
        path: String,
        /// Octal digits, or chmod(1)'s symbolic form.
        mode: Option<String>,
        /// Owner.
        user: Option<String>,
        /// Group.
        group: Option<String>,
        /// Whether it goes for everything below the path too.
        recursive: bool,
    },
    /// File capabilities, as setcap(8) takes them.
    Capabilities {
        /// The program.
        path: String,
        /// The capabilities.
        capabilities: String,
    },
    /// A system user.
    User(SystemUser),
    /// A system group.
    Group(SystemGroup),
    /// A user becomes a member of a group.
    Membership {
        /// The user.
        user: String,
        /// The group.
        group: String,
    },
    /// A directory that must exist.
    Directory {
        /// The path.
        path: String,
        /// Octal digits.
        mode: Option<String>,
        /// Owner.
        user: Option<String>,
        /// Group.
        group: Option<String>,
    },
    /// A file that is a copy of another (cp, install, ucf).
    Copy {
        /// The original.
        from: String,
        /// The copy.
        to: String,
        /// Octal digits, when other than the original's.
        mode: Option<String>,
    },
    /// A file with given text; an empty one for `touch`.
    File {
        /// The path.
        path: String,
        /// Its content.
        text: String,
    },
    /// A symbolic link.
    Link {
        /// Where it stands.
        path: String,
        /// Its text.
        target: String,
    },
    /// A path is removed, if it is there.
    Remove {
        /// The path.
        path: String,
    },
    /// A service is added to databases of nsswitch.conf(5) (dh_installnss).
    NameService {
        /// `passwd`, `hosts`, …
        database: String,
        /// The service's name.
        service: String,
        /// Where in the line: `first`, `last`, `before=SERVICE`, `after=SERVICE`, …
        position: String,
    },
    /// PAM's common-* are made from the profiles (pam-auth-update).
    PamProfiles,
    /// A derived file is made anew. The name is the program's that makes it: `ldconfig`, `systemd-hwdb`, …
    Cache {
        /// The program.
        program: String,
    },
    /// A dpkg trigger is activated.
    Trigger {
        /// Its name.
        name: String,
    },
}

impl Action {
    /// The file or directory that the effect is on, for those that are on one.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Diversion { from: path, .. }
            | Self::Permissions { path, .. }
            | Self::Capabilities { path, .. }
            | Self::Directory { path, .. }
            | Self::Copy { to: path, .. }
            | Self::File { path, .. }
            | Self::Link { path, .. }
            | Self::Remove { path } => Some(path),
            Self::Alternative(alternative) => Some(&alternative.link),
            Self::EnableUnit { .. }
            | Self::StartUnit { .. }
            | Self::InitScript { .. }
            | Self::Tmpfiles { .. }
            | Self::Sysusers { .. }
            | Self::User(_)
            | Self::Group(_)
            | Self::Membership { .. }
            | Self::NameService { .. }
            | Self::PamProfiles
            | Self::Cache { .. }
            | Self::Trigger { .. } => None,
        }
    }
}

/// The two kinds of service manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitScope {
    /// The system's.
    System,
    /// Each user's.
    User,
}

/// A candidate for a generic name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alternative {
    /// The group's name (`editor`).
    pub name: String,
    /// The generic path (`/usr/bin/editor`).
    pub link: String,
    /// What it shall lead to.
    pub path: String,
    /// The highest wins.
    pub priority: i32,
    /// Links that follow the choice.
    pub slaves: Vec<AlternativeSlave>,
}

/// A link that follows its group's choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlternativeSlave {
    /// The generic path.
    pub link: String,
    /// The slave's name.
    pub name: String,
    /// What it shall lead to.
    pub path: String,
}

/// A system user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemUser {
    /// The name.
    pub name: String,
    /// A number the script insists on.
    pub uid: Option<u32>,
    /// The primary group's name; the user's own unless said otherwise. `nogroup` is adduser's default.
    pub group: String,
    /// Home directory; `None` when the script gives none.
    pub home: Option<String>,
    /// Login shell; `None` when the script gives none.
    pub shell: Option<String>,
    /// The GECOS field.
    pub description: Option<String>,
}

/// A system group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemGroup {
    /// The name.
    pub name: String,
    /// A number the script insists on.
    pub gid: Option<u32>,
}
