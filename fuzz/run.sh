#!/bin/sh
# Runs a fuzz target, `parse` or `evaluate`, for some seconds (300 unless said otherwise): fuzz/run.sh TARGET [SECONDS]
#
# Seeds are the expressions of the repository's tests. What is found lands in fuzz/artifacts/TARGET; put the text, made
# as small as it gets (`cargo +nightly fuzz tmin TARGET FILE`), into fuzz/corpus/TARGET, where
# crates/lang/tests/mutations.rs tries it in every test run, and mend the cause.
set -eu
target=$1 seconds=${2:-300}
cd "$(dirname "$0")"
seeds=${CARGO_TARGET_DIR:-target}/seeds/$target
mkdir -p "$seeds"
cat ../crates/lang/tests/differential/values/*.txt | awk -v to="$seeds/expression-" '/^[^#]/ { print > (to NR); close(to NR) }'
awk -v to="$seeds/error-" '
  FNR == 1 || /^===/ { n++; inside = /^===/; next }
  /^---/ { inside = 0 }
  inside { print > (to n) }' ../crates/module/tests/errors/*.txt
cp ../crates/lang/tests/cases/*.nix "$seeds"
# What merely takes all memory or time is what an expression may do; the limits only keep such texts from being followed.
exec cargo +nightly fuzz run "$target" "$seeds" "corpus/$target" -- \
    -fork=1 -ignore_ooms=1 -ignore_timeouts=1 -timeout=20 -rss_limit_mb=3000 -max_len=2000 -max_total_time="$seconds"
