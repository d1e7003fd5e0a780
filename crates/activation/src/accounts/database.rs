//! The text formats of the account files: passwd(5), shadow(5), group(5), gshadow(5), subuid(5). Parses and prints,
//! no I/O. Lines with too few fields are no entries; what a tool wrote into further fields is kept.

/// A line of /etc/passwd. The password field is always `x`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswdEntry {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Comment.
    pub gecos: String,
    /// Home directory.
    pub home: String,
    /// Login shell.
    pub shell: String,
}

/// A line of /etc/shadow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowEntry {
    /// Login name.
    pub name: String,
    /// crypt(3) hash, or `!`, `*` for none.
    pub password: String,
    /// The seven fields after it, as text: last change, min, max, warn, inactive, expire, reserved.
    pub aging: [String; 7],
}

/// A line of /etc/group. The password field is always `x`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupEntry {
    /// Name.
    pub name: String,
    /// Group id.
    pub gid: u32,
    /// Members, sorted where this crate wrote them.
    pub members: Vec<String>,
}

/// A line of /etc/gshadow; the members are those of /etc/group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GshadowEntry {
    /// Name.
    pub name: String,
    /// crypt(3) hash, or `!`, `*` for none.
    pub password: String,
    /// Who may change the group's members.
    pub administrators: String,
}

/// A line of /etc/subuid or /etc/subgid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubIdEntry {
    /// Login name (or a number as text).
    pub name: String,
    /// First id.
    pub start: u32,
    /// How many.
    pub count: u32,
}

/// An entry of one of the files.
pub(crate) trait Entry: Sized {
    /// One line without its line feed; `None` when it is none.
    fn parse(line: &str) -> Option<Self>;
    /// The line, without a line feed.
    fn line(&self) -> String;
}

/// All entries of a file; lines that are none are left out.
pub(crate) fn parse_entries<E: Entry>(text: &str) -> Vec<E> {
    text.lines().filter_map(E::parse).collect()
}

impl Entry for PasswdEntry {
    fn parse(line: &str) -> Option<Self> {
        let [name, _, uid, gid, gecos, home, shell] = fields(line)?;
        Some(Self {
            name: account_name(name)?,
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            gecos: gecos.to_owned(),
            home: home.to_owned(),
            shell: shell.to_owned(),
        })
    }

    fn line(&self) -> String {
        let Self { name, uid, gid, gecos, home, shell } = self;
        format!("{name}:x:{uid}:{gid}:{gecos}:{home}:{shell}")
    }
}

impl Entry for ShadowEntry {
    fn parse(line: &str) -> Option<Self> {
        let [name, password, aging @ ..] = fields::<9>(line)?;
        Some(Self { name: account_name(name)?, password: password.to_owned(), aging: aging.map(str::to_owned) })
    }

    fn line(&self) -> String {
        format!("{}:{}:{}", self.name, self.password, self.aging.join(":"))
    }
}

impl Entry for GroupEntry {
    fn parse(line: &str) -> Option<Self> {
        let [name, _, gid, members] = fields(line)?;
        let members = members.split(',').filter(|member| !member.is_empty()).map(str::to_owned).collect();
        Some(Self { name: account_name(name)?, gid: gid.parse().ok()?, members })
    }

    fn line(&self) -> String {
        format!("{}:x:{}:{}", self.name, self.gid, self.members.join(","))
    }
}

impl Entry for GshadowEntry {
    fn parse(line: &str) -> Option<Self> {
        let [name, password, administrators, _] = fields(line)?;
        Some(Self {
            name: account_name(name)?,
            password: password.to_owned(),
            administrators: administrators.to_owned(),
        })
    }

    /// Without the members: they are those of /etc/group, which the caller appends.
    fn line(&self) -> String {
        format!("{}:{}:{}:", self.name, self.password, self.administrators)
    }
}

impl Entry for SubIdEntry {
    fn parse(line: &str) -> Option<Self> {
        let [name, start, count] = fields(line)?;
        Some(Self { name: account_name(name)?, start: start.parse().ok()?, count: count.parse().ok()? })
    }

    fn line(&self) -> String {
        format!("{}:{}:{}", self.name, self.start, self.count)
    }
}

/// Exactly `N` fields; the last takes the rest of the line.
fn fields<const N: usize>(line: &str) -> Option<[&str; N]> {
    let parts: Vec<&str> = line.splitn(N, ':').collect();
    parts.try_into().ok()
}

/// NIS entries (`+`, `-`) and comments name no account.
fn account_name(name: &str) -> Option<String> {
    let is_name = !name.is_empty() && !name.starts_with(['+', '-', '#']);
    is_name.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<E: Entry>(line: &str) {
        let entry = E::parse(line).unwrap_or_else(|| panic!("`{line}` is an entry"));
        assert_eq!(entry.line(), line);
    }

    #[test]
    fn lines_of_each_file_survive_a_round_trip() {
        round_trip::<PasswdEntry>("demo:x:1000:100:Demo,,,:/home/demo:/bin/bash");
        round_trip::<ShadowEntry>("demo:$y$j9T$abc$def:20000:0:99999:7:::");
        round_trip::<ShadowEntry>("demo:!:1::::::");
        round_trip::<GroupEntry>("sudo:x:27:alice,bob");
        round_trip::<GroupEntry>("empty:x:99:");
        round_trip::<SubIdEntry>("demo:100000:65536");
    }

    #[test]
    fn members_of_gshadow_are_not_kept() {
        let entry = GshadowEntry::parse("sudo:!:root:alice,bob").unwrap();
        assert_eq!(entry.line(), "sudo:!:root:");
    }

    #[test]
    fn what_is_no_entry_is_left_out() {
        let text = "+::::::\n# comment\nshort:x:1\n\nbad:x:one:1:::\nroot:x:0:0:root:/root:/bin/bash\n";
        let names: Vec<String> = parse_entries::<PasswdEntry>(text).into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["root"]);
    }
}
