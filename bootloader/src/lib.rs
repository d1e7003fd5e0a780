//! Generations to boot entries to the EFI system partition (ESP).
//!
//! The way of the data: [`generation`] reads what a generation wants to boot, [`observe`] what the ESP holds, [`plan`]
//! compares the two and yields an [`plan::EspPlan`], a value that can be printed and that [`apply`] carries out. The plan
//! orders writes so that the power may fail between any two of them: there is always a default entry whose kernel and
//! initrd are whole. The ESP is whatever implements [`esp::EspFs`]: a mounted directory or a FAT image.
//!
//! Not here: building anything, mounting anything, EFI variables beyond reading which entry was booted.
//!
//! Sources: the Boot Loader Specification (Type #1 entries, boot counting), `systemd-boot(7)`, `loader.conf(5)`.

pub mod apply;
pub mod booted;
pub mod entry;
pub mod esp;
pub mod firmware;
pub mod generation;
pub mod loader;
pub mod observe;
pub mod plan;
mod space;
