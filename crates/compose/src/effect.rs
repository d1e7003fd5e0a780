//! What a package's maintainer scripts bring about, as values.
//!
//! Effects come from two places: scripts whose meaning is recognised ([`crate::scripts`]), and decisions written down in
//! `pkgs/maintainer-scripts/` for those that are not ([`crate::decisions`], which uses the JSON form defined here).
//! Nothing here applies them: views take alternatives, diversions and permissions, `etc` takes accounts, units and copied
//! configuration.

use serde::Deserialize;

/// One thing a script would have done to a freshly installed system. Paths are absolute, as scripts write them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// `update-alternatives --install`.
    Alternative(Alternative),
    /// `dpkg-divert --add`: the path `from`, when another package ships it, is put at `to`.
    Diversion(Diversion),
    /// `dpkg-statoverride --add`, `chmod`, `chown`.
    Permissions(Permissions),
    /// `setcap`.
    Capabilities(Capabilities),
    /// `adduser --system`, `useradd --system`.
    User(User),
    /// `addgroup --system`, `groupadd --system`.
    Group(Group),
    /// `adduser USER GROUP`.
    Membership(Membership),
    /// `systemctl enable`, `deb-systemd-helper enable`.
    Enable(Unit),
    /// `cp`: a file of a package becomes another path's default.
    Copy(Copy),
    /// `ln -s`.
    Link(Link),
    /// `mkdir`, `install -d`.
    Directory(Directory),
    /// A file written by the script itself.
    File(WrittenFile),
    /// `rm`: the path is left out of the view or of /etc.
    Remove(Remove),
    /// A line of tmpfiles.d(5), for what /var and /run need.
    Tmpfiles(Tmpfiles),
    /// A service in a database of nsswitch.conf(5).
    NameService(NameService),
    /// A derived file that a cache derivation makes (`pkgs/caches/`); nothing is left to do here.
    Cache(Cache),
}

/// One candidate for a generic name, see update-alternatives(1).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Alternative {
    /// The group's name (`editor`).
    pub name: String,
    /// The generic path (`/usr/bin/editor`).
    pub link: String,
    /// What it shall be a link to (`/usr/bin/vim.basic`).
    pub path: String,
    /// The highest wins; between equals the first package in unpack order.
    pub priority: i32,
    /// Links that follow the choice (manual pages, mostly).
    #[serde(default)]
    pub slaves: Vec<Slave>,
}

/// A link that follows its group's choice.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Slave {
    /// The generic path.
    pub link: String,
    /// The slave's name.
    pub name: String,
    /// What it shall be a link to; a slave whose path does not exist is left out.
    pub path: String,
}

/// See dpkg-divert(1).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Diversion {
    /// The diverted path.
    pub from: String,
    /// Where other packages' file goes instead.
    pub to: String,
}

/// Mode and owner of one path; what is absent stays as the archive has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Permissions {
    /// The file or directory.
    pub path: String,
    /// Octal digits (`2755`), or chmod(1)'s symbolic form (`g+s,o-x`).
    pub mode: Option<String>,
    /// Owner's name.
    pub user: Option<String>,
    /// Group's name.
    pub group: Option<String>,
}

/// File capabilities of one path.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Capabilities {
    /// The program.
    pub path: String,
    /// The text `setcap` takes.
    pub capabilities: String,
}

/// A system user.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct User {
    /// Its name.
    pub name: String,
    /// A number the package insists on.
    pub uid: Option<u32>,
    /// The primary group; a group of the user's own name when absent.
    pub group: Option<String>,
    /// Home directory; `/nonexistent` when absent.
    pub home: Option<String>,
    /// Login shell; `/usr/sbin/nologin` when absent.
    pub shell: Option<String>,
    /// The GECOS field.
    pub description: Option<String>,
}

/// A system group.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// A number the package insists on.
    pub gid: Option<u32>,
}

/// A user becomes a member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Membership {
    /// The user.
    pub user: String,
    /// The group.
    pub group: String,
}

/// A systemd unit to enable as its `[Install]` section says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unit {
    /// The unit's name.
    pub unit: String,
    /// Whose manager it belongs to.
    #[serde(default)]
    pub scope: UnitScope,
}

/// The two kinds of service manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UnitScope {
    /// The system's.
    #[default]
    System,
    /// Every user's.
    User,
}

/// A file whose content is a copy of another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Copy {
    /// A path some package ships.
    pub from: String,
    /// Where the copy goes: beneath /etc a default that any configuration overrides, beneath /var a tmpfiles.d `C` line.
    pub to: String,
    /// Octal digits, when other than the source's.
    pub mode: Option<String>,
}

/// A symbolic link.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Link {
    /// Where it stands.
    pub path: String,
    /// Its text.
    pub target: String,
}

/// A directory that must exist.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Directory {
    /// Where.
    pub path: String,
    /// Octal digits; 0755 when absent.
    pub mode: Option<String>,
    /// Owner; root when absent.
    pub user: Option<String>,
    /// Group; root when absent.
    pub group: Option<String>,
}

/// A file with given text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WrittenFile {
    /// Where, beneath /etc.
    pub path: String,
    /// Its content.
    #[serde(default)]
    pub text: String,
    /// Octal digits; 0644 when absent.
    pub mode: Option<String>,
}

/// A path to leave out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Remove {
    /// Which.
    pub path: String,
}

/// A line of tmpfiles.d(5).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tmpfiles {
    /// The line.
    pub line: String,
}

/// A service of nsswitch.conf(5), as dh_installnss describes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NameService {
    /// `passwd`, `hosts`, …
    pub database: String,
    /// The service's name.
    pub service: String,
    /// `first`, `last`, `before=SERVICE` or `after=SERVICE`.
    pub position: String,
}

/// A derived file that a derivation of its own makes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cache {
    /// The program that makes it, or the name of its script in `pkgs/caches/`.
    pub name: String,
}
