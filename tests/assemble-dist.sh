#!/bin/sh
# Lays out what was built as it will be installed: bin/esker, lib/esker/SYSTEM/bin/* (the programs of target machines)
# and share/esker/{lib,modules,pkgs}.
# usage: assemble-dist.sh RELEASE-FOLDER DIST SYSTEM
set -eu
release=$1 dist=$2 system=$3
root=$(cd "$(dirname "$0")/.." && pwd)

mkdir -p "$dist/bin" "$dist/lib/esker/$system/bin" "$dist/share/esker"
put() { cmp -s "$1" "$2" || { cp "$1" "$2.new" && strip "$2.new" && chmod 755 "$2.new" && mv "$2.new" "$2"; }; }
for program in init activate agent esker; do put "$release/$program" "$dist/lib/esker/$system/bin/$program"; done
ln -sfn "../lib/esker/$system/bin/esker" "$dist/bin/esker"
for folder in lib modules pkgs; do ln -sfn "$root/$folder" "$dist/share/esker/$folder"; done
