//! The plan of a view's mount: a value, and what it will do in words.

use std::fmt::Write;
use std::path::PathBuf;

/// A directory laid over a part of the view, such as the booted kernel's modules over lib/modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cover {
    /// The directory to show.
    pub source: PathBuf,
    /// Where in the view, relative to its root. The view must have this directory.
    pub target: PathBuf,
}

/// A view to mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewMount {
    /// The EROFS image with the metadata.
    pub image: PathBuf,
    /// What mount tables show as the view's device: the image's path in the running system. It tells which view is
    /// mounted; in stage 1 it differs from where the image lies.
    pub name: PathBuf,
    /// The directories that hold the contents, searched in this order. Not overlays: filesystems stack two deep at
    /// most.
    pub stores: Vec<PathBuf>,
    /// What lies over it.
    pub covers: Vec<Cover>,
    /// Where it goes, usually /usr.
    pub target: PathBuf,
    /// An empty directory (made if missing) on a writable filesystem, used while mounting and left empty.
    pub staging: PathBuf,
}

impl ViewMount {
    /// The mounts, one per line, in the order in which they are made.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.describe_into(&mut text);
        text
    }

    fn describe_into(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "erofs {} (metadata)", self.image.display())?;
        for store in &self.stores {
            writeln!(text, "contents from {}", store.display())?;
        }
        writeln!(text, "overlay at {}", self.target.display())?;
        for cover in &self.covers {
            let at = self.target.join(&cover.target);
            writeln!(text, "bind {} over {}", cover.source.display(), at.display())?;
        }
        Ok(())
    }
}
