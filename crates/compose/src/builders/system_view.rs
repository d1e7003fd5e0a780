//! `builtin:system-view`: a view and overlays → `usr.erofs`, and beside it the tree of links that people see.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};

use build::{BuiltinBuilder, BuiltinContext, BuiltinError};
use serde::Deserialize;

use super::{LoadedView, io_error, location};
use crate::etc::generated::{ViewFiles, insisted_ids};
use crate::view::{AccountIds, PathPermissions, ViewInputs, ViewPlan, erofs, links, plan_view};

/// Attributes of `builtin:system-view`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemViewAttributes {
    /// A `builtin:view` output.
    pub view: String,
    /// How the packages of the view are laid out.
    #[serde(flatten)]
    pub layout: Layout,
}

/// Attributes that `builtin:system-view` and `builtin:etc` share.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Layout {
    /// Trees laid over the packages, the later over the earlier: `usr/…`, `etc/…`; `bin/`, `lib/`, `share/` … go beneath
    /// /usr. Files in `var/` become links made by tmpfiles.d.
    pub overlays: Vec<String>,
    /// Numbers of users and groups that are declared.
    pub ids: AccountIds,
    /// Chosen alternatives: group → path.
    pub alternatives: BTreeMap<String, String>,
    /// Modes, owners and capabilities by path.
    pub permissions: BTreeMap<String, PathPermissions>,
    /// Patterns of paths to leave out (`usr/share/doc/*`).
    pub exclude: Vec<String>,
    /// A directory of decisions about maintainer scripts.
    pub decisions: Option<String>,
}

/// The builder.
pub struct SystemViewBuilder;

impl BuiltinBuilder for SystemViewBuilder {
    fn name(&self) -> &str {
        "system-view"
    }

    fn build(&self, context: &mut BuiltinContext<'_>) -> Result<(), BuiltinError> {
        let attributes: SystemViewAttributes = context.parse_attributes()?;
        let store = location(context, &attributes.view)?;
        let layout = &attributes.layout;
        let loaded = LoadedView::load(store, &attributes.view, &layout.overlays, layout.decisions.as_deref())?;
        let (plan, _) = layout.plan(&loaded)?;
        for warning in &plan.warnings {
            context.log(&format!("warning: {warning}"));
        }
        let output = context.output("out")?;
        std::fs::create_dir(output).map_err(io_error("make", output))?;
        links::write_links(&links::plan_links(&plan, &loaded.packages), output).map_err(io_error("fill", output))?;
        let image = output.join("usr.erofs");
        let file = std::fs::File::create(&image).map_err(io_error("make", &image))?;
        let mut writer = BufWriter::with_capacity(1 << 20, file);
        erofs::write_image(&plan, &mut writer).map_err(BuiltinError::new)?;
        writer.flush().map_err(io_error("write", &image))
    }
}

impl Layout {
    /// Plans the hierarchy, with the ids that hold in it: the declared ones and those packages insist on.
    pub(super) fn plan(&self, loaded: &LoadedView) -> Result<(ViewPlan, AccountIds), BuiltinError> {
        let plan_with = |ids: &AccountIds| {
            plan_view(&ViewInputs {
                packages: &loaded.packages,
                overlays: &loaded.overlays,
                alternatives: &self.alternatives,
                permissions: &self.permissions,
                exclude: &self.exclude,
                ids,
            })
            .map_err(BuiltinError::new)
        };
        let plan = plan_with(&self.ids)?;
        let files = ViewFiles { view: &plan, store: &loaded.store };
        let ids = insisted_ids(files, &loaded.packages, &self.ids).map_err(BuiltinError::new)?;
        if ids == self.ids { Ok((plan, ids)) } else { Ok((plan_with(&ids)?, ids)) }
    }
}
