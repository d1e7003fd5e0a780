#!/bin/sh
# Builds the programs of the other architecture's machines: with this machine's Rust where it has that target, else with
# Debian's compiler and the sysroot that `./dev` made.
# usage: RUSTFLAGS=… cross-build.sh TARGET SYSROOT CARGO-ARGUMENT...
set -eu
target=$1 sysroot=$2
shift 2
triple=$(echo "$target" | sed 's/-unknown//')
upper=$(echo "$target" | tr 'a-z-' 'A-Z_')
export "CARGO_TARGET_${upper}_LINKER=$triple-gcc" "CC_$(echo "$target" | tr - _)=$triple-gcc" "AR_$(echo "$target" | tr - _)=$triple-ar"
if [ ! -d "$(rustc --print target-libdir --target "$target")" ]; then
  [ -d "$sysroot/lib/rustlib/$target" ] || { echo "cross-build: no standard library for $target; ./dev sets one up" >&2; exit 1; }
  export RUSTC=/usr/bin/rustc RUSTFLAGS="$RUSTFLAGS --sysroot=$sysroot"
fi
exec cargo build --target "$target" "$@"
