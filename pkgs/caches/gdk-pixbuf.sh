# loaders.cache: image formats that gdk-pixbuf loads.
#
# packages: libgdk-pixbuf-2.0-0 coreutils and the packages with loaders
mkdir -p "$out"
for folder in /usr/lib/*/gdk-pixbuf-2.0/2.10.0; do
  [ -d "$folder" ] || continue
  mkdir -p "$out$folder"
  loaders=$(find "$folder/loaders" -name '*.so' 2>/dev/null | LC_ALL=C sort)
  # shellcheck disable=SC2086 # a list of paths without blanks
  "${folder%/2.10.0}/gdk-pixbuf-query-loaders" $loaders > "$out$folder/loaders.cache"
done
