#!/bin/sh
# Lays out what was built as it will be installed: bin/esker, lib/esker/SYSTEM/bin/* (the programs of target machines) with
# share/* beside them (manual pages, completions), and share/esker/{lib,modules,pkgs}.
# usage: assemble-dist.sh RELEASE-FOLDER DIST SYSTEM      (STRIP: the strip of another architecture)
set -eu
release=$1 dist=$2 system=$3
root=$(cd "$(dirname "$0")/.." && pwd)

mkdir -p "$dist/bin" "$dist/lib/esker/$system/bin" "$dist/share/esker"
# A program that did not change keeps its time stamp, by which caches know it.
put() {
  "${STRIP-strip}" -o "$2.new" "$1" && chmod 755 "$2.new"
  if cmp -s "$2.new" "$2"; then rm "$2.new"; else mv "$2.new" "$2"; fi
}
for program in init activate agent esker; do put "$release/$program" "$dist/lib/esker/$system/bin/$program"; done
# The programs of other architectures stand beside this machine's, and run in machines only.
case $system in "$(uname -m)"-*) ln -sfn "../lib/esker/$system/bin/esker" "$dist/bin/esker" ;; esac

# What shells and man(1) know of the program; of another architecture's, by the program of this one.
runtime=$dist/lib/esker/$system new=$dist/lib/esker/$system/share.new
rm -rf "$new"
mkdir -p "$new/bash-completion/completions" "$new/zsh/vendor-completions" "$new/fish/vendor_completions.d"
"$dist/bin/esker" man "$new/man/man1"
"$dist/bin/esker" completions bash >"$new/bash-completion/completions/esker"
"$dist/bin/esker" completions zsh >"$new/zsh/vendor-completions/_esker"
"$dist/bin/esker" completions fish >"$new/fish/vendor_completions.d/esker.fish"
if [ -d "$runtime/share" ] && diff -qr "$runtime/share" "$new" >/dev/null; then
  rm -rf "$new"
else
  rm -rf "$runtime/share" && mv "$new" "$runtime/share"
fi
for part in man bash-completion zsh fish; do
  ln -sfn "../lib/esker/$(uname -m)-linux/share/$part" "$dist/share/$part"
done
for folder in lib modules pkgs; do ln -sfn "$root/$folder" "$dist/share/esker/$folder"; done
