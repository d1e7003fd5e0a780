# /usr/share/mime: the shared MIME database, compiled from its packages' files.
#
# packages: shared-mime-info coreutils and the packages with MIME types
scratch=$(mktemp -d)
mkdir -p "$out/usr/share"
cp -r /usr/share/mime "$scratch/mime"
chmod -R u+w "$scratch/mime"
update-mime-database "$scratch/mime"
rm -r "$scratch/mime/packages"
cp -r "$scratch/mime" "$out/usr/share/mime"
