#!/bin/sh
# Runs Debian trixie's mkosi, from a tree of its own in a mount namespace of its own, on the configuration beside this
# file. Root only; nothing is installed on the host.
# usage: mkosi.sh FOLDER [MKOSI-ARGUMENT...]      → FOLDER/work/image.raw
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift

if [ ! -x "$folder/root/usr/bin/mkosi" ]; then
  "$here/../../../bootstrap/debian-tree.sh" "$folder" '?essential' mkosi bash ca-certificates coreutils diffutils findutils grep gzip mount mtools \
    passwd python3 sed systemd-boot systemd-repart systemd-ukify tar util-linux zstd
  cp /etc/resolv.conf /etc/passwd /etc/group "$folder/root/etc/"
fi
work=$folder/work
sources=$work/mkosi.sandbox/etc/apt/sources.list.d
mkdir -p "$sources" "$work/cache" "$folder/root/work" "$folder/root/old"
cp "$here/mkosi.conf" "$work/mkosi.conf"
# mkosi's own list names archives that the host's mirror need not have.
cat > "$sources/mkosi.sources" <<SOURCES
Types: deb
URIs: $("$here/../../../bootstrap/debian-mirror.sh")
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES

export folder work
# Its sandbox remounts `/`, which therefore must be a mount.
exec unshare --mount -- sh -eu -c '
  cd "$folder"
  mount --bind root root
  cd root
  for tree in proc dev sys; do mount --rbind "/$tree" "$tree"; done
  mount --bind "$work" work
  mount -t tmpfs tmpfs tmp
  pivot_root . old
  cd /
  umount -l /old
  exec /usr/bin/env -i PATH=/usr/bin:/usr/sbin HOME=/root mkosi -C /work "$@"' mkosi "$@"
