//! Kernel and initrd of a live system, whose initrd carries the store: for booting over a network, from a folder, or by
//! hand. The same initrd goes into a unified kernel image.
//!
//! The store's file follows the system's own initrd as a second archive, which the kernel unpacks over the first.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use bootloader::generation::Bootable;
use bootloader::plan::Wanted;
use disk_formats::cpio::{self, Archive, Content};

use crate::contents::Contents;
use crate::output::{self, Output};
use crate::{ImageError, ImageReport, ImageRequest, store_file};

/// Writes a folder with what the request's system boots from; other files in it stay.
///
/// Errors when the folder cannot be made, and as writing a disk does.
pub(crate) fn write(
    request: &ImageRequest<'_>,
    contents: &Contents,
    wanted: &Wanted,
) -> Result<ImageReport, ImageError> {
    let folder = &request.output;
    let bootable = newest(wanted)?;
    output::make_folder(folder)?;
    let kernel = Output::create(&folder.join("kernel"))?;
    append_file(&kernel, &bootable.kernel.source)?;
    let initrd = Output::create(&folder.join("initrd"))?;
    write_initrd(request, contents, bootable, (&initrd, 0))?;
    let command_line = bootable.options.join(" ");
    let script = format!("#!ipxe\nkernel kernel initrd=initrd {command_line}\ninitrd initrd\nboot\n");
    let texts = [("command-line", format!("{command_line}\n")), ("boot.ipxe", script)];
    let mut files = vec![kernel, initrd];
    for (name, text) in texts {
        let file = Output::create(&folder.join(name))?;
        file.file().write_all(text.as_bytes()).map_err(file.failed("write"))?;
        files.push(file);
    }
    let lengths = files.iter().map(output::Output::length).sum::<Result<u64, _>>()?;
    files.into_iter().try_for_each(Output::finish)?;
    Ok(ImageReport::of(request, contents, lengths))
}

/// What the default entry boots.
///
/// Errors when there is no generation.
pub(crate) fn newest(wanted: &Wanted) -> Result<&Bootable, ImageError> {
    wanted.generations.last().map(|generation| &generation.main).ok_or(ImageError::NoGeneration)
}

/// Writes the initrd with the store into an output, from an offset on, and returns its length.
pub(crate) fn write_initrd(
    request: &ImageRequest<'_>,
    contents: &Contents,
    bootable: &Bootable,
    (output, start_bytes): (&Output, u64),
) -> Result<u64, ImageError> {
    let mut file = output.file();
    let seek =
        |file: &mut &File, offset| file.seek(SeekFrom::Start(offset)).map(drop).map_err(output.failed("seek in"));
    seek(&mut file, start_bytes)?;
    let mut length_bytes = 0;
    if let Some(initrd) = &bootable.initrd {
        length_bytes = append_file(output, &initrd.source)?.next_multiple_of(cpio::ALIGNMENT as u64);
    }
    let mut folders = Archive::new();
    let folder = Path::new(store_file::PATH).parent().and_then(Path::to_str).unwrap_or_default();
    folders.insert(folder, 0o755, Content::Directory)?;
    let mut bytes = Vec::new();
    folders.write_to(&mut bytes)?;
    let (front, _) = cpio::around_file(store_file::PATH, 0o444, 0)?;
    let front_bytes = length_bytes + bytes.len() as u64;
    let store_bytes = front_bytes + front.len() as u64;
    let size_bytes = store_file::write(contents, request, output, start_bytes + store_bytes)?;
    // Only now it is known what stands before it.
    let (front, back) = cpio::around_file(store_file::PATH, 0o444, size_bytes)?;
    bytes.extend(front);
    let end_bytes = store_bytes + size_bytes;
    for (offset, piece) in [(length_bytes, &bytes), (end_bytes, &back)] {
        seek(&mut file, start_bytes + offset)?;
        file.write_all(piece).map_err(output.failed("write"))?;
    }
    Ok(end_bytes + back.len() as u64)
}

/// Copies a file of this host to where the output stands, and returns its length.
pub(crate) fn append_file(output: &Output, path: &Path) -> Result<u64, ImageError> {
    let mut source =
        File::open(path).map_err(|source| ImageError::Io { action: "open", path: path.to_owned(), source })?;
    io::copy(&mut source, &mut output.file()).map_err(output.failed("write"))
}
