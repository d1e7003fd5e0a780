# gconv-modules.cache: where iconv's converters lie.
#
# packages: libc-bin libc6 libc-gconv-modules-extra coreutils
for folder in /usr/lib/*/gconv; do
  mkdir -p "$out$folder"
  iconvconfig -o "$out$folder/gconv-modules.cache" "$folder"
done
