# icon-theme.cache of every icon theme.
#
# packages: libgtk-3-bin or gtk-update-icon-cache, coreutils and the packages with icons
mkdir -p "$out"
for theme in /usr/share/icons/*/index.theme; do
  [ -e "$theme" ] || continue
  folder=$(dirname "$theme")
  scratch=$(mktemp -d)/theme
  cp -r "$folder" "$scratch"
  chmod -R u+w "$scratch"
  gtk-update-icon-cache --force --quiet "$scratch"
  mkdir -p "$out$folder"
  cp "$scratch/icon-theme.cache" "$out$folder/icon-theme.cache"
done
