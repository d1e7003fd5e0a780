//! A unified kernel image: one EFI program with the kernel, its command line and the initrd with the store. Firmware runs it
//! from a disk, systemd-boot lists it, and HTTP boot fetches it.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use bootloader::plan::Wanted;
use disk_formats::pe::{Extended, Section, extend};

use crate::contents::{self, Contents};
use crate::output::Output;
use crate::{ImageError, ImageReport, ImageRequest, netboot};

/// Writes the request's image and gives it its name.
///
/// Errors when the stub is none, the store too large for a program, and as writing a disk does.
pub(crate) fn write(
    request: &ImageRequest<'_>,
    contents: &Contents,
    wanted: &Wanted,
) -> Result<ImageReport, ImageError> {
    let bootable = netboot::newest(wanted)?;
    let read = |path: &Path| {
        std::fs::read(path).map_err(|source| ImageError::Io { action: "read", path: path.to_owned(), source })
    };
    let stub = read(&request.boot.systemd_stub)?;
    let texts = [
        (".osrel", read(&os_release(request)?)?),
        (".cmdline", bootable.options.join(" ").into_bytes()),
        (".uname", release(&bootable.kernel.source).into_bytes()),
        (".linux", read(&bootable.kernel.source)?),
    ];
    let program = |initrd_bytes| -> Result<Extended, ImageError> {
        let known = texts.iter().map(|(name, bytes)| Section { name, size_bytes: bytes.len() as u64 });
        let sections: Vec<_> = known.chain([Section { name: ".initrd", size_bytes: initrd_bytes }]).collect();
        Ok(extend(&stub, &sections)?)
    };
    let output = Output::create(&request.output)?;
    // Only the last section's length is not known yet.
    let offsets = program(0)?.offsets;
    let initrd_offset = offsets.last().copied().unwrap_or_default();
    let initrd_bytes = netboot::write_initrd(request, contents, bootable, (&output, initrd_offset))?;
    let Extended { head, size_bytes, .. } = program(initrd_bytes)?;
    output.file().set_len(size_bytes).map_err(output.failed("resize"))?;
    for (offset, bytes) in [(0, &head)].into_iter().chain(offsets.into_iter().zip(texts.iter().map(|(_, bytes)| bytes)))
    {
        let mut file = output.file();
        file.seek(SeekFrom::Start(offset)).map_err(output.failed("seek in"))?;
        file.write_all(bytes).map_err(output.failed("write"))?;
    }
    output.finish()?;
    Ok(ImageReport::of(request, contents, size_bytes))
}

/// Where the system says what it is.
fn os_release(request: &ImageRequest<'_>) -> Result<std::path::PathBuf, ImageError> {
    let newest = request.generations.last().ok_or(ImageError::NoGeneration)?;
    let toplevel = request.store.logical(&newest.toplevel);
    Ok(contents::resolve(request.store, &format!("{toplevel}/etc/os-release")))
}

/// The kernel's release, from its name: `vmlinuz-RELEASE`.
fn release(kernel: &Path) -> String {
    let name = kernel.file_name().unwrap_or_default().to_string_lossy();
    name.split_once('-').map_or_else(String::new, |(_, release)| release.to_owned())
}
