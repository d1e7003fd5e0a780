#!/bin/sh
# Makes a sysroot for Debian's own rustc in which the standard library of another architecture stands beside the host's:
# for where rustup has no target to add. Nothing but the compiler itself is installed, and no foreign architecture is
# added to the host's dpkg.
# usage: cross-sysroot.sh FOLDER DEBIAN-ARCHITECTURE TARGET PACKAGE      → FOLDER/lib/rustlib/TARGET
set -eu
folder=$1 architecture=$2 target=$3 package=$4
[ ! -e "$folder/lib/rustlib/$target" ] || exit 0
state=$folder/apt
mkdir -p "$state/lists/partial" "$state/archives/partial" "$folder/lib/rustlib"
: > "$state/status"
cat > "$state/apt.conf" <<CONF
APT::Architectures { "$(dpkg --print-architecture)"; "$architecture"; };
Dir::State "$state";
Dir::State::status "$state/status";
Dir::State::lists "$state/lists";
Dir::Cache "$state";
Dir::Cache::archives "$state/archives";
APT::Sandbox::User "root";
Debug::NoLocking "true";
CONF
# The host's own sources, read for another architecture. The version must be the compiler's.
apt-get -qq -c "$state/apt.conf" update
version=$(dpkg-query -W -f '${Version}' "${package%-dev}" 2>/dev/null || dpkg-query -W -f '${Version}' "$package")
(cd "$state/archives" && apt-get -qq -c "$state/apt.conf" download "$package:$architecture=$version")
dpkg-deb -x "$state"/archives/*.deb "$folder/foreign"
for host in /usr/lib/rustlib/*-linux-gnu; do ln -sfn "$host" "$folder/lib/rustlib/$(basename "$host")"; done
mv "$folder/foreign/usr/lib/rustlib/$target" "$folder/lib/rustlib/$target"
rm -rf "$state" "$folder/foreign"
