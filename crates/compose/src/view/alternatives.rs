//! Generic names (`editor`, `awk`, `cc`): which candidate's link stands at them.
//!
//! On Debian the link goes through /etc/alternatives, which administrators change; here the configuration decides when the
//! view is made, so the link points straight at the chosen program. Source: update-alternatives(1).

use std::collections::BTreeMap;

use super::paths::plan_path;
use super::{ViewError, ViewPlan};
use crate::effect::Alternative;

/// A candidate and the index of the layer whose script offers it.
pub(super) type Candidate<'a> = (usize, &'a Alternative);

/// A generic name's link.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ChosenLink {
    /// Where it stands (plan path).
    pub(super) path: String,
    /// Its text, absolute.
    pub(super) target: String,
    /// The layer whose script offers it.
    pub(super) layer: usize,
}

/// Chooses a candidate for each group: the `choices` of the configuration (name → path), else the highest priority, else the
/// first. Candidates whose program is not in the plan do not count.
pub(super) fn choose(
    plan: &ViewPlan,
    candidates: &[Candidate<'_>],
    choices: &BTreeMap<String, String>,
) -> Result<Vec<ChosenLink>, ViewError> {
    let mut groups: BTreeMap<&str, Vec<Candidate<'_>>> = BTreeMap::new();
    for (layer, alternative) in candidates {
        if plan.resolve(&plan_path(&alternative.path)).is_some() {
            groups.entry(&alternative.name).or_default().push((*layer, alternative));
        }
    }
    for (name, path) in choices {
        let offered = groups.get(name.as_str()).map_or(&[][..], Vec::as_slice);
        if !offered.iter().any(|(_, a)| plan_path(&a.path) == plan_path(path)) {
            let candidates: Vec<&str> = offered.iter().map(|(_, a)| a.path.as_str()).collect();
            let candidates = if candidates.is_empty() { "none".to_owned() } else { candidates.join(", ") };
            return Err(ViewError::NoSuchAlternative { name: name.clone(), path: path.clone(), candidates });
        }
    }
    let mut links = Vec::new();
    for (name, offered) in groups {
        let wanted = choices.get(name).map(|path| plan_path(path));
        let chosen = match wanted {
            Some(path) => offered.iter().find(|(_, a)| plan_path(&a.path) == path),
            // `max_by_key` gives the last of equals; reversed, that is the first package.
            None => offered.iter().rev().max_by_key(|(_, a)| a.priority),
        };
        if let Some((layer, alternative)) = chosen {
            links.extend(links_of(plan, *layer, alternative));
        }
    }
    Ok(links)
}

fn links_of(plan: &ViewPlan, layer: usize, alternative: &Alternative) -> Vec<ChosenLink> {
    let link = |path: &str, target: &str| ChosenLink {
        path: plan_path(path),
        target: format!("/{}", plan_path(target)),
        layer,
    };
    let slaves = alternative.slaves.iter().filter(|slave| plan.resolve(&plan_path(&slave.path)).is_some());
    std::iter::once(link(&alternative.link, &alternative.path))
        .chain(slaves.map(|slave| link(&slave.link, &slave.path)))
        .collect()
}
