# /etc/ssl/certs: the bundle, one link per certificate, and OpenSSL's links by hash.
#
# As update-ca-certificates does, with every certificate of the package switched on (ca-certificates/enable_crts' default).
# packages: ca-certificates openssl coreutils findutils sed; in: $extra (optional): a folder of further .crt files
export LC_ALL=C
certs="$out/etc/ssl/certs"
mkdir -p "$certs"
cd "$certs"
find -L /usr/share/ca-certificates ${extra:-} -type f -name '*.crt' | sort | while read -r certificate; do
  name=$(basename "$certificate" .crt | sed -e 's/ /_/g' -e 's/[()]/=/g' -e 's/,/_/g')
  ln -sf "$certificate" "$name.pem"
  # Some lack the last line break, which would join two certificates.
  sed -e '$a\' "$certificate" >> bundle
done
openssl rehash .
mv bundle ca-certificates.crt
mkdir -p "$out/etc"
# What update-ca-certificates would take as the administrator's choice.
(cd /usr/share/ca-certificates && find -L . -type f -name '*.crt' | sed 's,^\./,,' | sort) > "$out/etc/ca-certificates.conf"
