# giomodule.cache: what GIO's modules implement, so that programs need not load them all.
#
# packages: libglib2.0-0t64 coreutils and the packages with modules
mkdir -p "$out"
for folder in /usr/lib/*/gio/modules; do
  ls "$folder"/*.so > /dev/null 2>&1 || continue
  # The tool writes beside the modules; links give it a folder it can write to.
  scratch=$(mktemp -d)
  ln -s "$folder"/*.so "$scratch/"
  tool=$(echo "${folder%/gio/modules}"/glib-2.0/gio-querymodules)
  "$tool" "$scratch"
  mkdir -p "$out$folder"
  cp "$scratch/giomodule.cache" "$out$folder/giomodule.cache"
done
