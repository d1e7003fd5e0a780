#!/bin/sh
# Runs every test: those of the packages, then the stories about whole systems, two at a time. Ends with one line,
# `N passed, N failed`, and fails when a test does or when one could not be built.
# usage: ESKER=PROGRAM run.sh       (ESKER_NIX_REFERENCE: the folder of a reference Nix to compare with)
set -u
cd "$(dirname "$0")/.." || exit 1
: "${ESKER:?must name the esker program}"
export ESKER
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM
broken=0

# Runs cargo's tests so that they can be watched and counted.
tests() {
  { cargo test --no-fail-fast "$@" 2>&1 || echo "tests: cargo test $* failed"; } | tee -a "$log"
}

tests --workspace --exclude stories

# Tests that mount what they wrote, where this kernel can.
if [ "$(id -u)" = 0 ] && [ -e /dev/loop-control ] && { modprobe -qa loop erofs overlay; grep -qw erofs /proc/filesystems; } 2>/dev/null; then
  tests --package disk-formats --test ext4 --test erofs -- --ignored
else
  echo "tests: the kernel's own view of ext4 and EROFS needs root, loop devices and EROFS: not run"
fi
if [ "$(id -u)" = 0 ] && [ -e /dev/loop-control ] && { modprobe -qa loop btrfs xfs; grep -qw btrfs /proc/filesystems && grep -qw xfs /proc/filesystems; } 2>/dev/null; then
  tests --package disk-formats --test btrfs --test xfs -- --ignored
else
  echo "tests: the kernel's own view of btrfs and XFS needs root, loop devices and both: not run"
fi

tests --package stories --lib -- --test-threads=1

# A machine under emulation keeps little more than one core busy. What the stories share, the pin of the archive, is there
# before two of them ask for it. Downloads outlive this clone, and so does the pin, for when the archive cannot be reached.
shared=$PWD/target/stories
downloads=${XDG_CACHE_HOME:-$HOME/.cache}/esker/tests
mkdir -p "$shared/logs" "$downloads"
[ -e "$shared/cache" ] || ln -sfn "$downloads" "$shared/cache"
if [ ! -e "$shared/esker.lock" ]; then
  if ESKER_STORE=$shared/store ESKER_CACHE=$downloads ESKER_LOCK=$shared/esker.lock "$ESKER" lock tests/systems/first.nix; then
    cp "$shared/esker.lock" "$downloads/esker.lock"
  else
    echo "tests: the archive cannot be asked; its state of the last run serves"
    cp "$downloads/esker.lock" "$shared/esker.lock" || broken=1
  fi
fi
cargo test --quiet --package stories --no-run || echo "tests: cargo test of the stories failed" >> "$log"
export log shared
# shellcheck disable=SC2016 # for the shell of each story
for story in tests/tests/*.rs tests/tests/*/main.rs; do
  story=${story%/main.rs}
  basename "$story" .rs
done | xargs -P 2 -I '{}' sh -c '
  echo "tests: the story {} begins"
  cargo test --no-fail-fast --package stories --test {} -- --test-threads=1 > "$shared/logs/{}" 2>&1 || echo "tests: cargo test of {} failed" >> "$shared/logs/{}"
  flock "$log" tee -a "$log" < "$shared/logs/{}"'

count() { awk -v word="$1" '/^test result: / { for (i = 2; i <= NF; i++) if ($i == word ";") sum += $(i - 1) } END { print sum + 0 }' "$log"; }
passed=$(count passed)
failed=$(count failed)
# What does not compile, or dies, counts nothing itself.
grep -q '^tests: cargo test .* failed$' "$log" && broken=1
[ "$broken" = 0 ] || [ "$failed" -gt 0 ] || failed=1
grep -E '^test .* \.\.\. FAILED$|^error: could not compile|^error: .*\(signal' "$log" | sort -u
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
