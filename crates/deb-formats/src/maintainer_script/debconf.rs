//! Debconf: answers are the templates' defaults.

use std::collections::BTreeMap;

use super::expand::Argument;
use super::interpret::{Interpreter, Status};
use crate::control::paragraphs;

/// The default of each question in a `templates` file. A malformed rest is passed over; its questions are unknown.
pub(super) fn defaults(templates: &str) -> BTreeMap<String, String> {
    let entries = paragraphs(templates).map_while(Result::ok);
    entries
        .filter_map(|template| {
            Some((template.get("Template")?.to_owned(), template.get("Default").unwrap_or("").to_owned()))
        })
        .collect()
}

impl Interpreter<'_> {
    /// A command of debconf's shell library.
    pub(super) fn debconf_command(&mut self, name: &str, arguments: &[Argument]) -> Status {
        match name {
            "db_get" => {
                let question = arguments.first().cloned().flatten();
                let answer = question.and_then(|question| self.debconf.get(&question).cloned());
                let status = answer.is_some().then_some(true);
                self.set("RET", answer);
                status
            }
            "db_set" => {
                if let [Some(question), Some(answer)] = arguments {
                    self.debconf.insert(question.clone(), answer.clone());
                }
                Some(true)
            }
            "db_fget" => {
                self.set("RET", Some("false".to_owned()));
                Some(true)
            }
            // Nobody is asked, so questions are skipped, which counts as success.
            _ => {
                if matches!(name, "db_metaget" | "db_capb") {
                    self.set("RET", None);
                }
                Some(true)
            }
        }
    }
}
