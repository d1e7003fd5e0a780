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
  # extra: a folder of certificates beside Debian's, or null
  caCertificates = extra: cache "ca-certificates" [ pkgs.ca-certificates pkgs.openssl ] (
    lib.optionalAttrs (extra != null) { inherit extra; }
  );
  hwdb = cache "hwdb" [ pkgs.udev ] { };
  catalog = cache "catalog" [ pkgs.systemd ] { };

  # Where shared libraries lie, of a whole view. Without it each start of a program searches for them.
  ldSo = view: derivation {
    name = "cache-ld-so";
    inherit (pkgs) system;
    builder = "/bin/sh";
    args = [ "-euc" ''. "$scriptPath"'' ];
    passAsFile = [ "script" ];
    script = builtins.readFile ./caches/ld-so.sh;
    PATH = "/usr/sbin:/usr/bin";
    inherit view;
  };

  # locales: [ "en_US.UTF-8/UTF-8" … ]
  locales = supported: cache "locales" [ pkgs.locales pkgs.libc-bin pkgs.gzip ] { locales = lib.concatStringsSep "\n" supported; };
}
