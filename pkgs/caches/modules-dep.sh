# lib/modules/VERSION: the indices that depmod makes, and links to the modules, which stay in the kernel's package.
#
# packages: kmod coreutils; in: $kernel: the kernel's package, $version
tree="$out/lib/modules/$version"
mkdir -p "$tree"
source="$kernel/usr/lib/modules/$version"
[ -d "$source" ] || source="$kernel/lib/modules/$version"
for file in "$source"/*; do
  ln -s "$file" "$tree/$(basename "$file")"
done
depmod --basedir "$out" "$version"
# depmod ends well even when it found nothing.
for index in modules.dep modules.alias modules.symbols; do
  [ -s "$tree/modules.dep" ] && [ -s "$tree/$index.bin" ] || { echo "depmod made no $index.bin" >&2; exit 1; }
done
# A depmod that cannot read the modules lists them all and finds that none needs another.
grep -q ': .*ko' "$tree/modules.dep" || { echo "depmod found no dependency at all; can it decompress the modules?" >&2; exit 1; }
