#!/bin/sh
# Unpacks packages of Debian trixie with all that they depend on into a folder, for peers to compare with. Nothing is
# installed and no maintainer script runs. The host's own mirror serves.
# usage: debian-tree.sh FOLDER PACKAGE...      → FOLDER/root
set -eu
folder=$1
shift
mkdir -p "$folder"/apt/etc/preferences.d "$folder"/apt/lists/partial "$folder"/apt/archives/partial "$folder/root"
: > "$folder/apt/status"

uri=$("$(dirname "$0")/debian-mirror.sh")
echo "deb [signed-by=$(ls /usr/share/keyrings/debian-archive-keyring.* | head -n 1)] $uri trixie main" > "$folder/apt/sources.list"
cat > "$folder/apt/apt.conf" <<CONF
Dir::Etc::SourceList "$folder/apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::PreferencesParts "$folder/apt/etc/preferences.d";
Dir::State "$folder/apt";
Dir::State::status "$folder/apt/status";
Dir::State::lists "$folder/apt/lists";
Dir::Cache "$folder/apt";
Dir::Cache::archives "$folder/apt/archives";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Debug::NoLocking "true";
CONF
apt-get -qq -c "$folder/apt/apt.conf" update
apt-get -qq -y -c "$folder/apt/apt.conf" install --download-only "$@"
for deb in "$folder"/apt/archives/*.deb; do dpkg-deb -x "$deb" "$folder/root"; done
rm -rf "$folder/apt/archives" "$folder/apt/lists"
