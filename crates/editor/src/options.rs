//! Options by the path that a text has, and what is said about them.

use module::OptionDoc;

/// Whether a path that was written leads along an option's: names of instances are free, and positions of lists are not
/// written at all.
fn leads_along<'d>(written: &[String], doc: &'d OptionDoc) -> Option<&'d [String]> {
    let mut rest: &[String] = &doc.loc;
    for part in written {
        while let [position, more @ ..] = rest {
            if position != "*" {
                break;
            }
            rest = more;
        }
        let [known, more @ ..] = rest else { return None };
        if known != part && !known.starts_with('<') {
            return None;
        }
        rest = more;
    }
    while let [position, more @ ..] = rest {
        if position != "*" {
            break;
        }
        rest = more;
    }
    Some(rest)
}

/// The option that a path leads to.
pub(crate) fn find<'d>(options: &'d [OptionDoc], path: &[String]) -> Option<&'d OptionDoc> {
    let exact = options.iter().find(|doc| doc.loc == path);
    exact.or_else(|| options.iter().find(|doc| !path.is_empty() && leads_along(path, doc) == Some(&[])))
}

/// A name that may follow a path.
#[derive(Debug)]
pub(crate) struct Next<'d> {
    pub(crate) name: &'d str,
    /// The option, if it is one and not a set of others.
    pub(crate) option: Option<&'d OptionDoc>,
}

/// The names that may follow a path, in order.
pub(crate) fn following<'d>(options: &'d [OptionDoc], path: &[String]) -> Vec<Next<'d>> {
    let mut found: Vec<Next<'d>> = Vec::new();
    for doc in options.iter().filter(|doc| doc.visible && !doc.internal) {
        let Some([name, rest @ ..]) = leads_along(path, doc) else { continue };
        if name.starts_with('<') {
            continue;
        }
        let option = rest.is_empty().then_some(doc);
        match found.iter_mut().find(|next| next.name == name) {
            Some(known) => known.option = known.option.or(option),
            None => found.push(Next { name, option }),
        }
    }
    found
}

/// What an option is, in Markdown.
pub(crate) fn description(doc: &OptionDoc, value: Option<&str>) -> String {
    let mut text = format!("**{}**\n\n", doc.name.replace('<', "\\<"));
    if let Some(description) = &doc.description {
        text.push_str(description.trim());
        text.push_str("\n\n");
    }
    let code = |text: &str| match text.contains('\n') {
        true => format!("\n```nix\n{text}\n```"),
        false => format!("`{text}`"),
    };
    text.push_str(&format!("Type: {}\n", doc.type_description));
    let fields = [("Value", value), ("Default", doc.default.as_deref()), ("Example", doc.example.as_deref())];
    for (name, field) in fields {
        if let Some(field) = field {
            text.push_str(&format!("\n{name}: {}\n", code(field)));
        }
    }
    if doc.read_only {
        text.push_str("\nIt cannot be set.\n");
    }
    text
}
