# Esker's recipes. `./dev RECIPE` installs what is missing first.

dist := justfile_directory() / "target" / "dist"
target := arch() + "-unknown-linux-gnu"
system := arch() + "-linux"
other := if arch() == "x86_64" { "aarch64" } else { "x86_64" }
programs := "--bins -p esker -p initrd -p activation -p qemu"
esker := dist / "bin" / "esker"
# A static program runs in the initrd and on any Debian; no path of this machine may get into it.
static_flags := "-C target-feature=+crt-static --remap-path-prefix=" + justfile_directory() + "=/esker --remap-path-prefix=" + env("CARGO_HOME", env("HOME") / ".cargo") + "=/cargo"

[private]
default:
    @just --list

# Build Esker: target/dist/bin/esker with its runtime and libraries beside it
[group('build')]
build:
    RUSTFLAGS="{{ static_flags }}" cargo build --quiet --release --target {{ target }} {{ programs }}
    @tests/assemble-dist.sh target/{{ target }}/release {{ dist }} {{ system }}

# Build the programs of the other architecture's machines beside them, for images with --system
[group('build')]
build-other profile="release":
    RUSTFLAGS="{{ static_flags }}" bootstrap/cross-build.sh {{ other }}-unknown-linux-gnu {{ justfile_directory() }}/.esker/tools/cross --quiet --profile {{ profile }} {{ programs }} --target-dir target/cross
    @STRIP={{ other }}-linux-gnu-strip tests/assemble-dist.sh target/cross/{{ other }}-unknown-linux-gnu/{{ profile }} {{ dist }} {{ other }}-linux

# Build a configuration and boot it in QEMU on this terminal
[group('use')]
vm configuration="examples/server" *arguments: build
    {{ esker }} vm {{ configuration }} {{ arguments }}

# Run every test
[group('test')]
test: build (build-other "fast")
    ESKER={{ esker }} tests/run.sh

# The fast tests only: no virtual machine
[group('test')]
test-fast:
    cargo test --workspace --exclude stories

# Compare the evaluator with the reference on the whole corpus
[group('test')]
diff-nix:
    cargo test -p lang --test differential -p system --test fetching -p esker --test nix_instantiate -p module --test errors

# Look for texts that make the parser or the evaluator panic (parse, evaluate); wants nightly Rust and cargo-fuzz
[group('test')]
fuzz target="evaluate" seconds="300":
    fuzz/run.sh {{ target }} {{ seconds }}

# Lints, formatting and the layers
[group('test')]
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# Whether the oldest Rust that is promised still builds everything (rustup toolchain install 1.85)
[group('test')]
lint-oldest:
    cargo +1.85 check --workspace --all-targets --locked

# Medians of interleaved runs against the peers on this machine
[group('bench')]
bench what="all": build
    ESKER={{ esker }} tests/bench/run.sh {{ what }}
