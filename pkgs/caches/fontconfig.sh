# fontconfig's caches, at the place fonts.conf of Debian names first (/var/cache/fontconfig), as links made by tmpfiles.d.
#
# packages: fontconfig fontconfig-config coreutils and the packages with fonts
cache="$out/var/cache/fontconfig"
mkdir -p "$cache"
config=$(mktemp)
sed "s,<cachedir>/var/cache/fontconfig</cachedir>,<cachedir>$cache</cachedir>," /etc/fonts/fonts.conf > "$config"
FONTCONFIG_FILE="$config" fc-cache -s -f
rm -f "$cache/CACHEDIR.TAG"
