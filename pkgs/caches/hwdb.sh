# /usr/lib/udev/hwdb.bin: udev's hardware database, compiled.
#
# packages: udev coreutils
export LC_ALL=C
# A fixed name: the database holds the names of the files it was made from.
root=${TMPDIR:-/tmp}/hwdb
mkdir -p "$root/usr/lib/udev" "$out/usr/lib/udev"
cp -r /usr/lib/udev/hwdb.d "$root/usr/lib/udev/hwdb.d"
systemd-hwdb --root="$root" --usr --strict update
cp "$root/usr/lib/udev/hwdb.bin" "$out/usr/lib/udev/hwdb.bin"
