#!/bin/sh
# Evaluator workloads, beside the reference. A workload is a file with a function of { }; `parse` takes a large file that
# gen-big.sh writes. `modules-*` take a lib: Esker's own, with its native module system. The reference's times for those,
# in nixpkgs' lib, stand below, since that lib is not at hand. Called by run.sh.
set -eu
if [ -z "${ESKER_NIX_REFERENCE-}" ]; then
  echo "eval: ESKER_NIX_REFERENCE names no Nix to compare with: not run"
  exit 0
fi
workloads=$here/workloads
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export ESKER_STORE="$work/store" ESKER_CACHE="$work/cache" NIX_REMOTE=dummy://

# job NAME EXPRESSION [FIGURES]
job() {
  reference=${3-"'$ESKER_NIX_REFERENCE/nix-instantiate' --eval --strict -E '$2'"}
  printf '%s\t%s\t%s\n' "$1" "'$ESKER' eval --strict --expr '$2'" "$reference" >> "$work/jobs"
}

for file in "$workloads"/*.nix; do
  name=$(basename "$file" .nix)
  case $name in
    parse)
      sh "$workloads/gen-big.sh" 20000 > "$work/big.nix"
      job parse "import $file { file = $work/big.nix; }" ;;
    modules-*)
      lib=$PWD/lib
      job "$name, 1,003 options" "import $file { lib = $lib; }" "= 0.131 93"
      job "$name, 5,003 options" "import $file { lib = $lib; opts = 46; }" "= 0.224 142"
      job "$name, 20,003 options" "import $file { lib = $lib; mods = 400; opts = 46; inst = 4; }" "= 1.218 456"
      job "$name, 50 instances" "import $file { lib = $lib; inst = 50; }" "= 1.537 481" ;;
    *) job "$name" "import $file { }" ;;
  esac
done
echo
"$here/compare.py" -n "$rounds" < "$work/jobs"
