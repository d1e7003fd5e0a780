#!/bin/sh
# Unpacks packages of Debian trixie with all that they depend on into a folder, for peers to compare with. Nothing is
# installed and no maintainer script runs. The host's own mirror serves. What was downloaded stays in the user's cache: a
# second tree of the same packages needs no network.
# usage: debian-tree.sh FOLDER PACKAGE...      → FOLDER/root
set -eu
folder=$1
shift
downloads=${XDG_CACHE_HOME:-$HOME/.cache}/esker/debian-trees/$(echo "$@" | sha256sum | cut -c 1-16)
mkdir -p "$downloads/lists/partial" "$downloads/archives/partial" "$folder/apt/etc/preferences.d" "$folder/root"
: > "$folder/apt/status"
exec 9> "$downloads/lock"
flock 9

uri=$("$(dirname "$0")/debian-mirror.sh")
echo "deb [signed-by=$(ls /usr/share/keyrings/debian-archive-keyring.* | head -n 1)] $uri trixie main" > "$folder/apt/sources.list"
cat > "$folder/apt/apt.conf" <<CONF
Dir::Etc::SourceList "$folder/apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::PreferencesParts "$folder/apt/etc/preferences.d";
Dir::State "$folder/apt";
Dir::State::status "$folder/apt/status";
Dir::State::lists "$downloads/lists";
Dir::Cache "$folder/apt";
Dir::Cache::archives "$downloads/archives";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Debug::NoLocking "true";
CONF
# Without a network this keeps the lists of the last time, and says so.
apt-get -qq -c "$folder/apt/apt.conf" update
apt-get -qq -c "$folder/apt/apt.conf" autoclean
apt-get -qq -y -c "$folder/apt/apt.conf" install --download-only "$@"
for deb in "$downloads"/archives/*.deb; do dpkg-deb -x "$deb" "$folder/root"; done
