#!/bin/sh
# Prints tables of medians over interleaved runs. Nothing here passes or fails on a time.
# usage: ESKER=PROGRAM run.sh [all|build|boot|eval]
#   ESKER_BENCH_STATE   a folder for stores and downloads that stays (default: target/bench)
#   ESKER_NIX_REFERENCE a reference Nix; with it the evaluators are compared (`./dev bench` sets it)
#   ROUNDS              how many rounds (default 5)
set -eu
cd "$(dirname "$0")/../.."
: "${ESKER:?must name the esker program}"
what=${1-all}
here=$PWD/tests/bench
state=${ESKER_BENCH_STATE-$PWD/target/bench}
rounds=${ROUNDS-5}
mkdir -p "$state"
export ESKER here state rounds

printf '%s, %s cores, load %s\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(cut -d' ' -f1 /proc/loadavg)"
status=0
case $what in all|build) "$here/build.sh" || status=1 ;; esac
case $what in all|boot) "$here/boot.sh" || status=1 ;; esac
case $what in all|eval) "$here/eval.sh" || status=1 ;; esac
case $what in all|build|boot|eval) exit $status ;; *) echo "bench: no benchmark is called $what: all, build, boot, eval" >&2; exit 2 ;; esac
