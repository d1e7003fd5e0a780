//! The `[Install]` section of a unit file. Everything else in the file is none of this module's business.
//!
//! Source: systemd.unit(5), systemd.syntax(7).

/// What `systemctl enable` reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstallSection {
    /// `WantedBy=`
    pub wanted_by: Vec<String>,
    /// `RequiredBy=`
    pub required_by: Vec<String>,
    /// `UpheldBy=`
    pub upheld_by: Vec<String>,
    /// `Alias=`
    pub alias: Vec<String>,
    /// `Also=`
    pub also: Vec<String>,
    /// `DefaultInstance=`
    pub default_instance: Option<String>,
}

/// Reads the section; a file without one gives the empty value.
#[must_use]
pub fn parse_install(text: &str) -> InstallSection {
    let mut install = InstallSection::default();
    let mut here = false;
    let joined = text.replace("\\\n", " ");
    for line in joined.lines().map(str::trim) {
        if line.starts_with(['#', ';']) || line.is_empty() {
            continue;
        }
        if line.starts_with('[') {
            here = line == "[Install]";
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| here) else {
            continue;
        };
        let list = match key.trim() {
            "WantedBy" => &mut install.wanted_by,
            "RequiredBy" => &mut install.required_by,
            "UpheldBy" => &mut install.upheld_by,
            "Alias" => &mut install.alias,
            "Also" => &mut install.also,
            "DefaultInstance" => {
                install.default_instance = Some(value.trim().to_owned()).filter(|instance| !instance.is_empty());
                continue;
            }
            _ => continue,
        };
        // An empty assignment resets the list.
        if value.trim().is_empty() {
            list.clear();
        }
        list.extend(value.split_whitespace().map(str::to_owned));
    }
    install
}

impl InstallSection {
    /// The unit to link: a template gets its default instance. `None` for a template without one.
    #[must_use]
    pub fn instantiate(&self, unit: &str) -> Option<String> {
        match unit.split_once("@.") {
            None => Some(unit.to_owned()),
            Some((prefix, suffix)) => {
                self.default_instance.as_ref().map(|instance| format!("{prefix}@{instance}.{suffix}"))
            }
        }
    }
}
