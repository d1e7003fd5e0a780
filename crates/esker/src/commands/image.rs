//! `esker image`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use images::SectorSize;
use images::format::{Compression, DiskForm, Format};
use images::tarball::{TarballRequest, write_tarball};
use serde_json::json;

use super::{ConfigurationArguments, Outcome};
use crate::context::Context;
use crate::disk::{DiskImage, Generations, Written};
use crate::table::size;

/// Build a configuration and write it to a bootable disk image
///
/// The image is the same bit for bit wherever it is made. An image of that name is replaced when the new one is complete.
#[derive(Debug, Args)]
pub(crate) struct Image {
    #[command(flatten)]
    configuration: ConfigurationArguments,
    /// The image, for netboot or several disks a folder; by default it is called after its format, such as disk.img or
    /// esker.iso
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What the image's file is
    #[arg(long, value_enum, default_value_t = FormatArgument::Raw)]
    format: FormatArgument,
    /// Compress the image
    #[arg(long, value_enum, value_name = "METHOD", default_value_t = CompressArgument::None)]
    compress: CompressArgument,
    /// Say what the formats are for, and stop
    #[arg(long)]
    list: bool,
    /// The image's size, such as 8G; by default what the system needs and room for more. Of several disks it is the one's
    /// with the store; `disko.devices.disk.<name>.imageSize` is for each
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    size: Option<u64>,
    /// The sectors of the disk that the image is for: 512, or 4096 for disks that have no smaller ones (4Kn)
    #[arg(long, value_name = "BYTES", default_value = "512", value_parser = parse_sector_size, conflicts_with = "add")]
    sector_size: SectorSize,
    /// Keep the generations that the image has, and add this one as the new default of its boot menu. No machine may have
    /// used the image yet: there it is `esker switch` that adds one
    #[arg(long, conflicts_with_all = ["format", "compress"])]
    add: bool,
    /// Say how the disk would be laid out, and stop
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatArgument {
    /// The disk's bytes: for writing to disks, and for every virtual machine
    Raw,
    /// QEMU's format, without the holes: for libvirt, Proxmox, OpenStack
    Qcow2,
    /// The boot partition alone: systemd-boot, the menu, kernel and initrd; the store is elsewhere
    EspOnly,
    /// A live system for CD-ROMs and USB sticks, with all that installing the configured system needs
    Iso,
    /// A folder with the kernel and initrd of a live system, and a script for iPXE: for booting over a network
    Netboot,
    /// A live system as one EFI program: for a boot partition, or HTTP boot
    Uki,
    /// A container's root, without a kernel: for machinectl import-tar, systemd-nspawn
    Tar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CompressArgument {
    /// Not at all
    None,
    /// By zstd: raw as one stream that `zstd -d` gives back, qcow2 cluster by cluster, ready to run
    Zstd,
}

impl FormatArgument {
    /// Errors when a format has no such form.
    fn with(self, compress: CompressArgument) -> Result<Format, String> {
        let compression = match compress {
            CompressArgument::None => Compression::None,
            CompressArgument::Zstd => Compression::Zstd,
        };
        Ok(match self {
            // It is no image of a disk, and written by a command of its own.
            Self::Tar => return Err("a tarball is no disk".to_owned()),
            Self::Raw => Format::Disk(DiskForm::Raw, compression),
            Self::Qcow2 => Format::Disk(DiskForm::Qcow2, compression),
            _ if compression == Compression::Zstd => {
                return Err(format!(
                    "--compress: `{}` has no compressed form; what is large in it is compressed",
                    self.name()
                ));
            }
            Self::EspOnly => Format::EspOnly,
            Self::Iso => Format::Iso,
            Self::Netboot => Format::Netboot,
            Self::Uki => Format::Uki,
        })
    }

    /// The variant of the configuration that such an image is of, as `image.modules` calls it; none for itself.
    fn variant(self) -> Option<&'static str> {
        match self {
            Self::Raw | Self::Qcow2 | Self::EspOnly => None,
            Self::Iso => Some("iso"),
            Self::Netboot => Some("netboot"),
            Self::Uki => Some("uki"),
            Self::Tar => Some("tar"),
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The formats and what each is for, a line each.
    fn list() -> String {
        let line = |format: &Self| {
            let value = format.to_possible_value()?;
            Some(format!("{:<10}{}\n", value.get_name(), value.get_help()?))
        };
        Self::value_variants().iter().filter_map(line).collect()
    }
}

/// How an image of so many disks is called that nobody named.
fn default_name(format: Format, disks: usize) -> &'static str {
    match format {
        Format::Disk(..) if disks > 1 => "disks",
        Format::Disk(DiskForm::Raw, Compression::None) => "disk.img",
        Format::Disk(DiskForm::Raw, Compression::Zstd) => "disk.img.zst",
        Format::Disk(DiskForm::Qcow2, _) => "disk.qcow2",
        Format::EspOnly => "esp.img",
        Format::Iso => "esker.iso",
        Format::Netboot => "netboot",
        Format::Uki => "esker.efi",
    }
}

fn parse_sector_size(text: &str) -> Result<SectorSize, String> {
    let size = text.parse().ok().and_then(SectorSize::of_bytes);
    size.ok_or_else(|| "disks have sectors of 512 or 4096 bytes".to_owned())
}

/// `8G`, `512M`, `4096` in bytes.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u64 = digits.parse().map_err(|_| format!("`{text}` does not begin with a number"))?;
    let shift = match text[digits.len()..].trim_end_matches("iB") {
        "" => 0,
        "K" | "k" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        unit => return Err(format!("`{unit}` is not K, M, G or T")),
    };
    number.checked_shl(shift).filter(|bytes| bytes >> shift == number).ok_or_else(|| format!("`{text}` is too much"))
}

impl Image {
    pub(crate) fn run(self, context: &Context) -> Outcome {
        if self.list {
            context.print_text(&FormatArgument::list());
            return Ok(ExitCode::SUCCESS);
        }
        if self.format == FormatArgument::Tar {
            return self.tarball(context);
        }
        let format = self.format.with(self.compress)?;
        if self.size.is_some() && !matches!(format, Format::Disk(..)) {
            return Err(format!(
                "--size: `{}` is as large as what is in it; only disks have a size",
                self.format.name()
            )
            .into());
        }
        if self.sector_size != SectorSize::default() && !matches!(format, Format::Disk(..) | Format::EspOnly) {
            return Err(format!(
                "--sector-size: `{}` has no sectors of a disk{}",
                self.format.name(),
                if format == Format::Iso {
                    "; it is for CD-ROMs and for sticks, which have sectors of 512 bytes"
                } else {
                    ""
                }
            )
            .into());
        }
        let session = context.session()?;
        let configuration = self.configuration.pinned(context, &session)?;
        let built = match self.format.variant() {
            None => session.build_system(&configuration, &self.configuration.system())?,
            Some(variant) => session.build_variant(&configuration, &self.configuration.system(), variant)?,
        };
        context.messages(&built.messages);
        let disks = images::disks_of(session.store(), &built.toplevel)?.len();
        let output = self.output.unwrap_or_else(|| PathBuf::from(default_name(format, disks)));
        let image = DiskImage {
            session: &session,
            toplevel: &built.toplevel,
            output: &output,
            size: self.size,
            sector_size: self.sector_size,
            format,
            generations: if self.add { Generations::Added } else { Generations::Alone },
        };
        if self.dry_run {
            context.print_text(&image.describe()?);
            return Ok(ExitCode::SUCCESS);
        }
        let toplevel = session.store().logical(&built.toplevel);
        let place = output.display();
        let (generation, bytes, text) = match image.write()? {
            Written::Known { generation } => {
                (generation, None, format!("{place} has this system as generation {generation} already"))
            }
            Written::New { generation, report } => {
                for number in &report.without_entry {
                    context.say(&format!(
                        "warning: generation {number} has no entry in the boot menu \
                         (`boot.loader.systemd-boot.configurationLimit`)"
                    ));
                }
                let files = size(report.contents_bytes);
                let text = format!("{place}: generation {generation} ({files} of files)");
                (generation, Some(report.disk_bytes), text)
            }
        };
        let json = json!({ "image": output, "toplevel": toplevel, "generation": generation, "bytes": bytes });
        context.print(json, &text);
        Ok(ExitCode::SUCCESS)
    }

    /// Writes the root of a container.
    fn tarball(self, context: &Context) -> Outcome {
        let given = [("--size", self.size.is_some()), ("--sector-size", self.sector_size != SectorSize::default())];
        if let Some((option, _)) = given.into_iter().find(|(_, is_given)| *is_given) {
            return Err(format!("{option}: `tar` is a folder's files and no disk").into());
        }
        let (compression, name) = match self.compress {
            CompressArgument::None => (Compression::None, "esker.tar"),
            CompressArgument::Zstd => (Compression::Zstd, "esker.tar.zst"),
        };
        let output = self.output.unwrap_or_else(|| PathBuf::from(name));
        let session = context.session()?;
        let configuration = self.configuration.pinned(context, &session)?;
        let built = session.build_variant(&configuration, &self.configuration.system(), "tar")?;
        context.messages(&built.messages);
        if self.dry_run {
            context.print_text(&format!("a container's root with {}\n", session.store().logical(&built.toplevel)));
            return Ok(ExitCode::SUCCESS);
        }
        let report = write_tarball(&TarballRequest {
            store: session.store(),
            toplevel: &built.toplevel,
            output: output.clone(),
            compression,
            is_cancelled: Box::new(|| session.is_cancelled()),
        })?;
        let toplevel = session.store().logical(&built.toplevel);
        let json = json!({ "image": output, "toplevel": toplevel, "generation": 1, "bytes": report.disk_bytes });
        context.print(
            json,
            &format!("{}: a container's root ({} of files)", output.display(), size(report.contents_bytes)),
        );
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_disks_are_compressed() {
        for format in FormatArgument::value_variants().iter().filter(|format| **format != FormatArgument::Tar) {
            let compressed = format.with(CompressArgument::Zstd);
            assert_eq!(compressed.is_ok(), matches!(format, FormatArgument::Raw | FormatArgument::Qcow2));
            let plain = format.with(CompressArgument::None).unwrap();
            assert_eq!(matches!(plain, Format::Disk(..)), compressed.is_ok());
        }
        assert_eq!(FormatArgument::list().lines().count(), FormatArgument::value_variants().len());
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("8G"), Ok(8 << 30));
        assert_eq!(parse_size("4096"), Ok(4096));
        assert_eq!(parse_size("5MiB"), Ok(5 << 20));
        parse_size("8X").unwrap_err();
        parse_size("99999999T").unwrap_err();
    }
}
