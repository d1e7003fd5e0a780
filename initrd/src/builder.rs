//! `builtin:initrd`: the packer as a builder. Makes the file `initrd` in the output `out`.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use build::{BuiltinBuilder, BuiltinContext, BuiltinError, References};

use crate::pack::{InitrdRequest, pack_initrd};
use crate::root::Root;

/// The builder, for `build`'s registry.
#[derive(Debug, Clone, Copy, Default)]
pub struct InitrdBuilder;

impl BuiltinBuilder for InitrdBuilder {
    fn name(&self) -> &str {
        "initrd"
    }

    fn build(&self, context: &mut BuiltinContext<'_>) -> Result<(), BuiltinError> {
        let request: InitrdRequest = context.parse_attributes()?;
        let root = store_root(context, &request.runtime)?;
        for path in request.module_trees.iter().chain(&request.prepend) {
            context.physical(&path.to_string_lossy())?;
        }
        let folder = context.output("out")?.to_owned();
        let file = folder.join("initrd");
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |source| BuiltinError::Io { action, path, source }
        };
        std::fs::create_dir(&folder).map_err(failed("create folder", &folder))?;
        let mut out = BufWriter::new(File::create(&file).map_err(failed("create", &file))?);
        let summary = pack_initrd(&request, &root, &mut out).map_err(BuiltinError::new)?;
        out.into_inner()
            .map_err(|error| failed("write", &file)(error.into_error()))?
            .sync_all()
            .map_err(failed("write", &file))?;
        context.log(&format!("modules: {}", summary.modules.join(" ")));
        context.log(&format!("{} bytes before compression", summary.uncompressed_bytes));
        // Everything in it is a copy, and compressed besides.
        context.set_references("out", References::None);
        Ok(())
    }
}

/// The directory in which the store's logical paths are found: links between store paths are followed in it.
fn store_root(context: &BuiltinContext<'_>, logical: &Path) -> Result<Root, BuiltinError> {
    let physical = context.physical(&logical.to_string_lossy())?;
    let mut root: PathBuf = physical.clone();
    for _ in logical.components().skip(1) {
        root.pop();
    }
    let root = Root::new(root);
    if root.join(logical) == physical {
        Ok(root)
    } else {
        Err(BuiltinError::NotAnInput { path: logical.display().to_string() })
    }
}
