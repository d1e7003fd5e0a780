#!/bin/sh
# How long `esker build` and `esker image` take on the server example. Called by run.sh.
set -eu
export ESKER_STORE="$state/store" ESKER_CACHE="$state/cache" ESKER_LOCK="$state/esker.lock"
configuration="$state/configuration"
rm -rf "$configuration"
cp -r examples/server "$configuration"
build="'$ESKER' build --no-link '$configuration/bench.nix'"
image="'$ESKER' image '$configuration/bench.nix' -o '$state/disk.img'"
iso="'$ESKER' image '$configuration/bench.nix' --format iso -o '$state/live.iso'"

# A configuration in which one option can be changed, to a value that no earlier run has seen.
cat > "$state/change" <<CHANGE
n=\$(( \$(cat '$state/counter' 2>/dev/null || echo 0) + 1 ))
echo \$n > '$state/counter'
cat > '$configuration/bench.nix' <<NIX
{ imports = [ ./configuration.nix ]; environment.variables.BENCH = "\$n"; }
NIX
CHANGE
change="sh '$state/change'"
sh "$state/change"
# The downloads and the first build are not measured.
sh -c "$image" >/dev/null
sh -c "$iso" >/dev/null

printf '\n| what | median | range | peak memory | aim |\n|---|---|---|---|---|\n'
{
  printf '%s\t%s\t%s\t%s\n' "one option changed: toplevel" "0.5 s" "$build" "$change"
  printf '%s\t%s\t%s\t%s\n' "one option changed: bootable image" "3 s" "$image" "$change"
  printf '%s\t%s\t%s\t%s\n' "one option changed: ISO" "4 s, 300 MB" "$iso" "$change"
  # What was built just before, by a build that is not measured.
  printf '%s\t%s\t%s\t%s\n' "nothing changed" "50 ms" "$build" "$build >/dev/null"
} | "$here/measure.py" -n "$rounds"

# From an empty store, with the downloads there: fewer rounds, they take long.
empty="'$ESKER' build --no-link --store '$state/empty' '$configuration/bench.nix'"
printf '%s\t%s\t%s\t%s\n' "everything from an empty store" "25 s, 300 MB" "$empty" \
  "chmod -R u+w '$state/empty' 2>/dev/null; rm -rf '$state/empty' '$ESKER_CACHE/archive/index' '$ESKER_CACHE/archive/solutions'" |
  "$here/measure.py" -n 3 -w 0

toplevel=$(sh -c "$build")
printf '| initrd | %s MB | | | 4 MB |\n' "$(stat -L -c %s "$ESKER_STORE$(readlink "$toplevel/initrd")" | awk '{ printf "%.1f", $1 / 1e6 }')"
printf '| image: data in it | %s MB | | | |\n' "$(du -m "$state/disk.img" | cut -f1)"
printf '| ISO | %s MB | | | 300 MB |\n' "$(stat -c %s "$state/live.iso" | awk '{ printf "%.0f", $1 / 1e6 }')"
chmod -R u+w "$state/empty" && rm -rf "$state/empty"
