# gschemas.compiled: GSettings' schemas.
#
# packages: libglib2.0-bin libglib2.0-0t64 coreutils and the packages with schemas
[ -d /usr/share/glib-2.0/schemas ] || { mkdir -p "$out"; exit 0; }
mkdir -p "$out/usr/share/glib-2.0/schemas"
tool=$(echo /usr/lib/*/glib-2.0/glib-compile-schemas)
"$tool" --targetdir="$out/usr/share/glib-2.0/schemas" /usr/share/glib-2.0/schemas
