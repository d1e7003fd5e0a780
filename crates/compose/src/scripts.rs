//! A package's maintainer scripts → effects, and the commands left over. The reading itself is
//! [`deb_formats::maintainer_script`]'s; here its actions get the meaning they have for a composed system, and most of what
//! it says of running services and of files that systemd or a cache derivation makes needs nothing.

use deb_formats::maintainer_script::{self, Action, Script, ScriptKind, Step};

use crate::effect::{
    Alternative, Cache, Capabilities, Copy, Directory, Diversion, Effect, Group, Link, Membership, NameService,
    Permissions, Remove, Slave, Unit, UnitScope, User, WrittenFile,
};
use crate::package::{Control, Package};

/// What a script was understood to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScriptMeaning {
    /// What it brings about on a first installation.
    pub effects: Vec<Effect>,
    /// Lines with commands that were not understood.
    pub leftover: Vec<String>,
}

/// Reads a script of a package. `exists` says whether a path is there on a new system, if that is known.
#[must_use]
pub fn read_script(
    package: &Package,
    control: &Control,
    name: &str,
    exists: &dyn Fn(&str) -> Option<bool>,
) -> ScriptMeaning {
    let (Some(kind), Some(text)) = (ScriptKind::parse(name), control.scripts.get(name)) else {
        return ScriptMeaning::default();
    };
    let meaning = maintainer_script::read_script(&Script {
        kind,
        package: &package.name,
        architecture: control.field("Architecture").unwrap_or("all"),
        text,
        templates: &control.templates,
        exists,
    });
    ScriptMeaning {
        effects: meaning.steps.iter().filter_map(|step| effect_of(step, kind)).collect(),
        leftover: meaning.leftover.into_iter().map(|left| left.text).collect(),
    }
}

fn effect_of(step: &Step, kind: ScriptKind) -> Option<Effect> {
    Some(match &step.action {
        Action::EnableUnit { unit, scope } => Effect::Enable(Unit { unit: unit.clone(), scope: scope_of(*scope) }),
        Action::Alternative(alternative) => Effect::Alternative(alternative_of(alternative)),
        Action::Diversion { from, to } => Effect::Diversion(Diversion { from: from.clone(), to: to.clone() }),
        Action::Permissions { path, mode, user, group, recursive: _ } => Effect::Permissions(Permissions {
            path: path.clone(),
            mode: mode.clone(),
            user: user.clone(),
            group: group.clone(),
        }),
        Action::Capabilities { path, capabilities } => {
            Effect::Capabilities(Capabilities { path: path.clone(), capabilities: capabilities.clone() })
        }
        Action::User(user) => Effect::User(User {
            name: user.name.clone(),
            uid: user.uid,
            group: (user.group != user.name && !user.group.is_empty()).then(|| user.group.clone()),
            home: user.home.clone(),
            shell: user.shell.clone(),
            description: user.description.clone(),
        }),
        Action::Group(group) => Effect::Group(Group { name: group.name.clone(), gid: group.gid }),
        Action::Membership { user, group } => {
            Effect::Membership(Membership { user: user.clone(), group: group.clone() })
        }
        Action::Directory { path, mode, user, group } => Effect::Directory(Directory {
            path: path.clone(),
            mode: mode.clone(),
            user: user.clone(),
            group: group.clone(),
        }),
        Action::Copy { from, to, mode } => {
            Effect::Copy(Copy { from: from.clone(), to: to.clone(), mode: mode.clone() })
        }
        Action::File { path, text } => Effect::File(WrittenFile { path: path.clone(), text: text.clone(), mode: None }),
        Action::Link { path, target } => Effect::Link(Link { path: path.clone(), target: target.clone() }),
        // What preinst removes, unpacking may bring back; and conditions ask for what older versions left.
        Action::Remove { path } if kind == ScriptKind::PostInst && !step.conditional => {
            Effect::Remove(Remove { path: path.clone() })
        }
        Action::NameService { database, service, position } => Effect::NameService(NameService {
            database: database.clone(),
            service: service.clone(),
            position: position.clone(),
        }),
        Action::Cache { program } => Effect::Cache(Cache { name: program.clone() }),
        // systemd starts what is enabled, applies tmpfiles.d at boot, and accounts read sysusers.d by themselves; PAM's
        // stacks are always made; a trigger's work is a cache's; init scripts give way to units.
        Action::Remove { .. }
        | Action::StartUnit { .. }
        | Action::InitScript { .. }
        | Action::Tmpfiles { .. }
        | Action::Sysusers { .. }
        | Action::PamProfiles
        | Action::Trigger { .. } => return None,
    })
}

fn scope_of(scope: maintainer_script::UnitScope) -> UnitScope {
    match scope {
        maintainer_script::UnitScope::System => UnitScope::System,
        maintainer_script::UnitScope::User => UnitScope::User,
    }
}

fn alternative_of(alternative: &maintainer_script::Alternative) -> Alternative {
    let slave = |slave: &maintainer_script::AlternativeSlave| Slave {
        link: slave.link.clone(),
        name: slave.name.clone(),
        path: slave.path.clone(),
    };
    Alternative {
        name: alternative.name.clone(),
        link: alternative.link.clone(),
        path: alternative.path.clone(),
        priority: alternative.priority,
        slaves: alternative.slaves.iter().map(slave).collect(),
    }
}
