# /etc/ld.so.cache: where shared libraries lie. Programs start without it, only slower.
#
# packages: libc-bin and every package of the system; libc-bin's ld.so.conf is read from the view's /etc
mkdir -p "$out/etc"
# -X: the view's links are complete; -i: no auxiliary cache, which would hold inode numbers.
ldconfig -X -i -C "$out/etc/ld.so.cache"
