#!/bin/sh
# Evaluator workloads, beside the reference where there is one. A workload is a file with a function of { }; both must
# print the same. Called by run.sh.
set -eu
if [ -z "${ESKER_EVAL_BENCH-}" ]; then
  echo "eval: ESKER_EVAL_BENCH names no folder of workloads: not run"
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export ESKER_STORE="$work/store" ESKER_CACHE="$work/cache" NIX_REMOTE=dummy://
: > "$work/jobs"
for file in "$ESKER_EVAL_BENCH"/*.nix; do
  name=$(basename "$file" .nix)
  # Those that are functions of more cannot be run alone.
  case $name in parse | modules-*) continue ;; esac
  expression="import $file { }"
  printf '%s\t\t%s\n' "$name: esker" "'$ESKER' eval --strict --expr '$expression'" >> "$work/jobs"
  [ -n "${ESKER_NIX_REFERENCE-}" ] || continue
  reference="'$ESKER_NIX_REFERENCE/nix-instantiate' --eval --strict -E '$expression'"
  printf '%s\t\t%s\n' "$name: reference" "$reference" >> "$work/jobs"
  ours=$("$ESKER" eval --strict --expr "$expression") || echo "eval: $name fails" >&2
  theirs=$(sh -c "$reference") || echo "eval: the reference fails on $name" >&2
  [ "$ours" = "$theirs" ] || { echo "eval: $name gives $ours, the reference $theirs" >&2; }
done
printf '\n| workload | median | range | peak memory | |\n|---|---|---|---|---|\n'
"$here/measure.py" -n "$rounds" < "$work/jobs"
