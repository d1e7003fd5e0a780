# /usr/lib/locale: compiled locales, one folder each.
#
# packages: locales libc-bin coreutils; in: $locales: lines such as `en_US.UTF-8 UTF-8` or `en_US.UTF-8/UTF-8`, or `all`
case "
$locales
" in
  *"
all
"*) locales=$(grep -v '^#' /usr/share/i18n/SUPPORTED) ;;
esac
mkdir -p "$out/usr/lib/locale"
printf '%s\n' "$locales" | tr / ' ' | while read -r locale charset; do
  [ -n "$locale" ] || continue
  case $locale in
    # glibc has these built in or in libc-bin.
    C|POSIX|C.UTF-8|C.utf8) continue ;;
  esac
  base=${locale%%.*}
  base=${base%%@*}
  at=${locale#*@}
  if [ "$at" = "$locale" ]; then at=; else at="@$at"; fi
  # Without a dot in its name a locale's own definition is meant (`de_DE@euro`), else the one of its language.
  input="$base$at"
  if [ -e "/usr/share/i18n/locales/$locale" ]; then input=$locale; fi
  # glibc looks for the folder under the normalised charset: UTF-8 is utf8.
  folder="$base"
  case $locale in
    *.*) folder="$folder.$(printf '%s' "$charset" | tr -d '_-' | tr 'A-Z' 'a-z')" ;;
  esac
  localedef -i "$input" -f "$charset" -A /usr/share/locale/locale.alias --no-archive "$out/usr/lib/locale/$folder$at"
done
