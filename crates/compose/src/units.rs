//! Which units of packages are on: the links that `systemctl enable` would make, as values.
//!
//! Installing starts nothing: only packages the configuration names have applied what their scripts enable, beside the few
//! units of [`BASE_UNITS`] without which a system does not come up as its documentation says. Unit files are read by the
//! caller. Source: systemd.unit(5), "[INSTALL] SECTION OPTIONS"; systemctl(1), `enable`.

mod install;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

pub use install::{InstallSection, parse_install};

use crate::effect::{Effect, UnitScope};
use crate::package::Package;

/// Units that are on in every system, with the reason. All of systemd's own; everything else systemd needs is linked
/// statically in its package (`/usr/lib/systemd/system/*.wants`).
pub const BASE_UNITS: [(&str, &str); 3] = [
    ("getty@tty1.service", "the console's login prompt; systemd's postinst enables it"),
    ("remote-fs.target", "the point that mounts of networks order themselves by; systemd's postinst enables it"),
    (
        "systemd-pstore.service",
        "keeps what a crashed kernel left; systemd's postinst enables it, and it waits for a condition",
    ),
];

/// Attribute `units` of `builtin:etc`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct UnitSelection {
    /// Packages whose units are enabled as their scripts say.
    pub systemd_packages: Vec<String>,
    /// Further units to enable, by name.
    pub enabled: Vec<String>,
    /// Units not to enable although a package named above, or [`BASE_UNITS`], would.
    pub disabled: Vec<String>,
    /// Units that are masked.
    pub masked: Vec<String>,
    /// What `default.target` stands for; the package's own (graphical.target) when absent.
    pub default_target: Option<String>,
}

/// Unit files of the view: scope, then name → text. Links to other units are resolved by the caller.
pub type UnitFiles = BTreeMap<(UnitScope, String), String>;

/// Links relative to /etc (`systemd/system/multi-user.target.wants/ssh.service`) → target, and what could not be enabled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Enablement {
    /// Link → target.
    pub links: BTreeMap<String, String>,
    /// One sentence per unit that was to be enabled and is missing or has no `[Install]` section.
    pub warnings: Vec<String>,
}

/// The names whose text [`plan_enablement`] needs may be those of any unit of the view.
#[must_use]
pub fn plan_enablement(selection: &UnitSelection, packages: &[Package], files: &UnitFiles) -> Enablement {
    let mut plan = Enablement::default();
    let mut wanted: BTreeSet<(UnitScope, &str)> = BTreeSet::new();
    wanted.extend(BASE_UNITS.iter().map(|(unit, _)| (UnitScope::System, *unit)));
    wanted.extend(selection.enabled.iter().map(|unit| (UnitScope::System, unit.as_str())));
    for package in packages.iter().filter(|package| selection.systemd_packages.contains(&package.name)) {
        wanted.extend(package.effects.iter().filter_map(|effect| match effect {
            Effect::Enable(unit) => Some((unit.scope, unit.unit.as_str())),
            _ => None,
        }));
    }
    let off = |unit: &str| selection.disabled.iter().chain(&selection.masked).any(|name| name == unit);
    let mut done = BTreeSet::new();
    let mut pending: Vec<(UnitScope, String)> =
        wanted.into_iter().filter(|(_, unit)| !off(unit)).map(|(scope, unit)| (scope, unit.to_owned())).collect();
    while let Some((scope, unit)) = pending.pop() {
        if !done.insert((scope, unit.clone())) {
            continue;
        }
        for also in enable(&mut plan, scope, &unit, files) {
            if !off(&also) {
                pending.push((scope, also));
            }
        }
    }
    for unit in &selection.masked {
        plan.links.insert(format!("systemd/system/{unit}"), "/dev/null".to_owned());
    }
    if let Some(target) = &selection.default_target {
        plan.links.insert("systemd/system/default.target".to_owned(), unit_path(UnitScope::System, target));
    }
    plan.warnings.sort();
    plan
}

/// Adds the links of one unit and returns the units its `Also=` names.
fn enable(plan: &mut Enablement, scope: UnitScope, unit: &str, files: &UnitFiles) -> Vec<String> {
    let file_name = template_of(unit);
    let text = files.get(&(scope, unit.to_owned())).map(|text| (unit, text));
    let found = text.or_else(|| files.get(&(scope, file_name.clone())).map(|text| (file_name.as_str(), text)));
    let Some((file, text)) = found else {
        plan.warnings.push(format!("unit `{unit}` is to be enabled, but no package of the view has it"));
        return Vec::new();
    };
    let install = parse_install(text);
    if install == InstallSection::default() {
        plan.warnings.push(format!("unit `{unit}` is to be enabled, but it has no [Install] section"));
        return Vec::new();
    }
    let instance = match install.instantiate(unit) {
        Some(instance) => instance,
        None => {
            plan.warnings
                .push(format!("unit `{unit}` is a template without DefaultInstance=; enable an instance of it"));
            return install.also;
        }
    };
    let root = scope_directory(scope);
    let target = unit_path(scope, file);
    let folders = [("wants", &install.wanted_by), ("requires", &install.required_by), ("upholds", &install.upheld_by)];
    for (folder, by) in folders {
        for other in by {
            let other = expand(other, &instance);
            plan.links.insert(format!("{root}/{other}.{folder}/{instance}"), target.clone());
        }
    }
    for alias in &install.alias {
        let alias = expand(alias, &instance);
        if alias != instance {
            plan.links.insert(format!("{root}/{alias}"), target.clone());
        }
    }
    install.also
}

fn scope_directory(scope: UnitScope) -> &'static str {
    match scope {
        UnitScope::System => "systemd/system",
        UnitScope::User => "systemd/user",
    }
}

fn unit_path(scope: UnitScope, file: &str) -> String {
    format!("/usr/lib/{}/{file}", scope_directory(scope))
}

/// `getty@tty1.service` → `getty@.service`; other names stay.
fn template_of(unit: &str) -> String {
    match (unit.find('@'), unit.rfind('.')) {
        (Some(at), Some(dot)) if at < dot => format!("{}{}", &unit[..=at], &unit[dot..]),
        _ => unit.to_owned(),
    }
}

/// The specifiers that make sense in `[Install]`: `%i` (instance), `%p` (prefix), `%n` (whole name), `%%`.
fn expand(text: &str, unit: &str) -> String {
    let stem = unit.rsplit_once('.').map_or(unit, |(stem, _)| stem);
    let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
    let replaced = text.replace("%i", instance).replace("%I", instance).replace("%p", prefix).replace("%n", unit);
    replaced.replace("%%", "%")
}

#[cfg(test)]
mod tests;
