//! `esker why-big`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use closure_map::tree::{Entry, Extent, Line, arrange, lines};
use closure_map::{ClosureMap, PackageGraph, treemap};
use nix_formats::StorePath;
use serde_json::json;
use store::Store;
use system::language::Printing;

use super::{ConfigurationArguments, Outcome};
use crate::context::Context;
use crate::table::size;

/// Where the module system says why each package is in the system.
const PACKAGE_GRAPH: &str = "config.system.build.packageGraph";
/// Files of the toplevel that an image has once more, where the firmware finds them.
const BOOT_FILES: [&str; 2] = ["kernel", "initrd"];

/// Say where the bytes of a system are, and what each part is there for
///
/// A part stands below the one without which it would not be there: ONLY is what the system loses with it, OWN its own size,
/// CLOSURE the size of all that it needs, whoever else needs that too. Packages that several need stand beside those.
#[derive(Debug, Args)]
pub(crate) struct WhyBig {
    #[command(flatten)]
    configuration: ConfigurationArguments,
    /// How many levels are shown
    #[arg(long, value_name = "N", default_value_t = 3)]
    depth: usize,
    /// How many parts are shown of each
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,
    /// Write a page for browsers too, on which every part is a rectangle of its size
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl WhyBig {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        let session = context.session()?;
        let configuration = self.configuration.pinned(context, &session)?;
        let system = self.configuration.system();
        let built = session.build_system(&configuration, &system)?;
        context.messages(&built.messages);
        let printed = session.eval(&configuration, &system, PACKAGE_GRAPH, (Printing::Json, true))?;
        let packages: PackageGraph = serde_json::from_slice(&printed.text)?;
        let map = ClosureMap::load(session.store(), &built.toplevel, &packages)?;
        let root = arrange(&map);
        let boot_bytes = boot_bytes(session.store(), &built.toplevel)?;
        if let Some(file) = &self.html {
            fs_err::write(file, treemap::page(&root, size)?)?;
            context.say(&format!("{} shows it in a browser", file.display()));
        }
        let paths = map.path_count();
        let head = format!(
            "{} in {paths} store paths, and {} of kernel and initrd once more in an image's boot partition\n\n",
            size(root.only_bytes),
            size(boot_bytes)
        );
        let text = head + &tree_text(&root, Extent { depth: self.depth, limit: self.limit });
        context.print(json!({ "paths": paths, "bootBytes": boot_bytes, "tree": root }), &text);
        Ok(ExitCode::SUCCESS)
    }
}

/// How large the files are that a boot partition has copies of.
fn boot_bytes(store: &Store, toplevel: &StorePath) -> std::io::Result<u64> {
    let mut bytes = 0;
    for name in BOOT_FILES {
        let target = fs_err::read_link(store.physical(toplevel).join(name))?;
        bytes += fs_err::metadata(store.layout().physical_of_logical(&target))?.len();
    }
    Ok(bytes)
}

/// The tree, its numbers in columns to the right of one another.
fn tree_text(root: &Entry, extent: Extent) -> String {
    let row =
        |only: &str, own: &str, closure: &str, name: &str| format!("{only:>10} {own:>10} {closure:>10}  {name}\n");
    let mut text = row("ONLY", "OWN", "CLOSURE", "");
    for line in lines(root, extent) {
        text += &match line {
            Line::Entry(strokes, entry) => {
                let own = entry.path.as_ref().map_or(String::new(), |_| size(entry.own_bytes));
                row(&size(entry.only_bytes), &own, &size(entry.closure_bytes), &(strokes + &entry.name))
            }
            Line::Rest(strokes, count, bytes) => row(&size(bytes), "", "", &format!("{strokes}… {count} more")),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, own_bytes: u64, children: Vec<Entry>) -> Entry {
        let only_bytes = own_bytes + children.iter().map(|child| child.only_bytes).sum::<u64>();
        let path = Some(format!("hash-{name}"));
        Entry { name: name.to_owned(), path, own_bytes, only_bytes, closure_bytes: only_bytes, children }
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let big = entry("big", 2048, vec![entry("within", 1024, Vec::new())]);
        let root = entry("root", 0, vec![big, entry("b", 20, Vec::new()), entry("c", 3, Vec::new())]);
        let expected = "      ONLY        OWN    CLOSURE\n   3.0 KiB        0 B    3.0 KiB  root\n   \
                        3.0 KiB    2.0 KiB    3.0 KiB  ├─ big\n      23 B                        └─ … 2 more\n";
        let text = tree_text(&root, Extent { depth: 1, limit: 1 });
        let trimmed: String = text.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
        assert_eq!(trimmed, expected);
        assert!(tree_text(&root, Extent { depth: 2, limit: 5 }).contains("│  └─ within"));
    }
}
