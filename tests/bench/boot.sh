#!/bin/sh
# From power-on to the login prompt, beside a mkosi image of the same Debian with the same kernel and services, and how
# long each takes to make an image after one change. Called by run.sh; needs root for the peer alone.
set -eu
export ESKER_STORE="$state/store" ESKER_CACHE="$state/cache" ESKER_LOCK="$state/esker.lock"
cargo build --quiet --package stories --bin boot-time
boot=${CARGO_TARGET_DIR-target}/debug/boot-time
configuration="$state/boot"
rm -rf "$configuration"
cp -r examples/server "$configuration"
# Nobody chooses in a menu here, and the peer has none.
echo '{ lib, ... }: { imports = [ ./configuration.nix ]; boot.loader.timeout = lib.mkForce 0; }' > "$configuration/boot.nix"
"$ESKER" image "$configuration/boot.nix" -o "$state/boot.img" >/dev/null
printf '%s\t\t%s\n' "power-on to login: esker" "'$boot' '$state/boot.img'" > "$state/boot.jobs"
if [ "$(id -u)" = 0 ]; then
  mkosi="$here/mkosi/mkosi.sh '$state/mkosi'"
  sh -c "$mkosi -f build" >"$state/mkosi.log" 2>&1 || { tail -n 20 "$state/mkosi.log" >&2; exit 1; }
  cp --sparse=always "$state/mkosi/work/image.raw" "$state/peer.img"
  printf '%s\t\t%s\n' "power-on to login: mkosi" "'$boot' '$state/peer.img'" >> "$state/boot.jobs"
  change="mkdir -p '$state/mkosi/work/mkosi.extra/etc' && date +%s%N > '$state/mkosi/work/mkosi.extra/etc/changed'"
  printf '%s\t\t%s\t%s\n' "one file changed: image: mkosi, incremental" "$mkosi -f build" "$change" >> "$state/boot.jobs"
else
  echo "boot: mkosi wants root: not compared" >&2
fi
printf '\n| what | median | range | peak memory | |\n|---|---|---|---|---|\n'
# The first boot of each makes keys and identities; it is not measured.
"$here/measure.py" -n "$rounds" -w 1 < "$state/boot.jobs"
