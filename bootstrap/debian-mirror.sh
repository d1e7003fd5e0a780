#!/bin/sh
# Prints the address of the mirror of Debian's archive that the host's apt uses.
set -eu
uri=$( { sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources
         sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\).*/\2/p' /etc/apt/sources.list; } 2>/dev/null | grep -E '/debian/?$' | head -n 1)
[ -n "$uri" ] || { echo "debian-mirror: no Debian mirror in apt's sources" >&2; exit 1; }
echo "$uri"
