#!/bin/sh
# Unpacks Debian trixie's nix-bin with its libraries into a folder, as the reference that tests compare with. Nothing is
# installed and the host's /nix is never written: the wrappers default to a store that holds nothing.
# usage: nix-reference.sh FOLDER
set -eu
folder=$1
"$(dirname "$0")/../bootstrap/debian-tree.sh" "$folder" nix-bin
mkdir -p "$folder/conf"
{
  echo "experimental-features = nix-command flakes pipe-operators fetch-tree"
  # Its sandboxes get a shell from here: the host has none where Debian's nix-bin looks for it.
  echo "sandbox-paths = /bin/sh=$folder/root/usr/bin/bash-static"
} > "$folder/conf/nix.conf"

mkdir -p "$folder/bin"
cat > "$folder/bin/_run" <<'WRAPPER'
#!/bin/sh
# Runs a program of the reference with its own libraries; its store is nowhere unless the caller names one.
here=$(cd "$(dirname "$0")/.." && pwd)
export NIX_CONF_DIR="${NIX_CONF_DIR-$here/conf}" NIX_STORE_DIR="${NIX_STORE_DIR-/nix/store}" NIX_REMOTE="${NIX_REMOTE-dummy://}"
export NIX_STATE_DIR="${NIX_STATE_DIR-$here/state/var}" NIX_LOG_DIR="${NIX_LOG_DIR-$here/state/log}" XDG_CACHE_HOME="${XDG_CACHE_HOME-$here/state/cache}"
# Where it finds itself again; it asks the kernel otherwise and gets the loader.
export NIX_BIN_DIR="${NIX_BIN_DIR-$here/bin}"
name=$(basename "$0")
libraries="$here/root/usr/lib/$(uname -m)-linux-gnu"
exec "$libraries"/ld-linux-*.so.* --argv0 "$name" --library-path "$libraries" "$here/root/usr/bin/nix" "$@"
WRAPPER
chmod +x "$folder/bin/_run"
for program in nix nix-instantiate nix-store nix-env nix-hash nix-build; do ln -sfn _run "$folder/bin/$program"; done
