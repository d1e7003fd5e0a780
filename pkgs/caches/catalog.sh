# /var/lib/systemd/catalog/database: explanations of journal messages, indexed. /var is the machine's, so the file gets there
# as a link that tmpfiles.d makes (crates/compose, tmpfiles).
#
# packages: systemd coreutils
export LC_ALL=C
root=$(mktemp -d)
mkdir -p "$root/usr/lib/systemd" "$root/var/lib/systemd/catalog" "$out/var/lib/systemd/catalog"
cp -r /usr/lib/systemd/catalog "$root/usr/lib/systemd/catalog"
journalctl --root="$root" --update-catalog
cp "$root/var/lib/systemd/catalog/database" "$out/var/lib/systemd/catalog/database"
