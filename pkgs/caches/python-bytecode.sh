# __pycache__ of the modules that packages ship: without it each start compiles them anew, as /usr cannot be written.
#
# packages: python3 coreutils findutils and the packages with modules. Checked by the source's hash and not by its time, which a store sets to 1.
export PYTHONHASHSEED=0 SOURCE_DATE_EPOCH=1
python=$(readlink -f /usr/bin/python3)
root=$(mktemp -d)
for folder in /usr/lib/python3* /usr/share/python3; do
  [ -d "$folder" ] || continue
  mkdir -p "$root$folder"
  # Links, so that nothing is copied; the compiler writes beside them.
  cp -rs "$folder/." "$root$folder/"
done
# -s and -p: the compiled code names the file's place in /usr, not the scratch folder. Files of other Python versions and
# templates do not compile; that is no error of ours.
"$python" -m compileall -q -j 0 -s "$root" -p / --invalidation-mode unchecked-hash "$root/usr" || true
mkdir -p "$out"
cd "$root"
find . -name '*.pyc' -type f -print0 | sort -z | xargs -0r cp --parents -t "$out"
