# Derived caches: what maintainer scripts would compute from the installed files, as derivations of their own.
#
# Each sees only the packages that its tool reads, so that adding an unrelated package rebuilds none of them.
# Each output is a tree laid over the system: usr/… over /usr, etc/… under /etc.
{ lib, pkgs }:

let
  cache = name: packages: attrs:
    pkgs.runInView "cache-${name}" ({
      packages = [ pkgs.coreutils pkgs.dash pkgs.findutils pkgs.sed pkgs.grep ] ++ packages;
      script = builtins.readFile (./caches + "/${name}.sh");
    } // attrs);
in
{
  caCertificates = cache "ca-certificates" [ pkgs.ca-certificates pkgs.openssl ] { };
  hwdb = cache "hwdb" [ pkgs.udev ] { };
  catalog = cache "catalog" [ pkgs.systemd ] { };

  # locales: [ "en_US.UTF-8/UTF-8" … ]
  locales = supported: cache "locales" [ pkgs.locales pkgs.libc-bin pkgs.gzip ] { locales = lib.concatStringsSep "\n" supported; };
}
