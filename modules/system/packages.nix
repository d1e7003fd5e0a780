# Which packages make up the system: the base that every system has, what a person asks for, and what the
# generated files of /etc and the units mention.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.system;

  # A unit that says `${pkgs.git}/bin/git` brings git into the system's view: every Debian package in the string
  # context of what is generated is a root, in the version that it says: another one at that place would be wrong.
  mentioned = map (root: { debian = root; }) (builtins.__debianRoots config.system.build.generatedFiles);

  roots = pkgs.wantedBy "environment.corePackages" config.environment.corePackages
    ++ pkgs.wantedBy "environment.defaultPackages" config.environment.defaultPackages
    ++ pkgs.wantedBy "environment.systemPackages" config.environment.systemPackages
    ++ pkgs.wantedBy "systemd.packages" config.systemd.packages
    ++ pkgs.wantedBy "a unit or a file in /etc" mentioned;
in
{
  options = {
    environment.systemPackages = mkOption {
      type = types.listOf types.package;
      default = [ ];
      example = lib.literalExpression "[ pkgs.git pkgs.vim ]";
      description = "Packages to be part of the system's /usr, with all that they depend on.";
    };
    environment.corePackages = mkOption {
      type = types.listOf types.package;
      internal = true;
      description = "The packages without which no system boots and no one logs in.";
    };
    environment.defaultPackages = mkOption {
      type = types.listOf types.package;
      default = [ pkgs.nano pkgs.less ];
      defaultText = lib.literalExpression "[ pkgs.nano pkgs.less ]";
      description = "Packages that make a system pleasant and may be left out.";
    };
    system.recommends = mkOption {
      type = types.bool;
      default = false;
      description = "Whether packages that others recommend join the system too.";
    };
    system.excludedPackages = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "initramfs-tools" ];
      description = "Debian packages that must not be part of the system, because Esker does their work itself.";
    };
    system.alternatives = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = { editor = "/usr/bin/vim.basic"; };
      description = "Which of Debian's alternatives to use, where it is not the one of the highest priority.";
    };
    system.overlays = mkOption {
      type = types.listOf types.package;
      default = [ ];
      internal = true;
      description = "Trees laid over /usr and /etc of the packages: the derived caches.";
    };
  };

  config = {
    environment.corePackages = map (name: pkgs.${name}) [
      "base-files" "base-passwd" "bash" "bsdutils" "coreutils" "dash" "dbus" "debianutils" "diffutils" "dpkg"
      "findutils" "grep" "gzip" "hostname" "init-system-helpers" "iproute2" "iputils-ping" "kmod" "libc-bin"
      "libnss-systemd" "libpam-modules" "libpam-runtime" "libpam-systemd" "linux-sysctl-defaults" "login" "login.defs"
      "mawk" "mount" "ncurses-base" "ncurses-bin" "netbase" "passwd" "perl-base" "procps" "sed" "sysvinit-utils"
      "systemd" "systemd-sysv" "tar" "tzdata" "udev" "util-linux"
    ];

    system.excludedPackages = [ "initramfs-tools" "linux-initramfs-tool" "dracut" ];

    system.overlays = [
      pkgs.caches.hwdb
      pkgs.caches.catalog
      (pkgs.caches.ldSo config.system.build.view)
      (pkgs.mkTree "esker-program" {
        "usr/bin/esker".link = "/run/current-system/runtime/bin/esker";
        # Manual pages and completions.
        "usr/share".source = "${pkgs.runtime}/share";
      })
      # The booted kernel's modules are mounted here, whatever /usr becomes.
      (pkgs.mkTree "mount-points" { "usr/lib/modules".directory = true; })
    ];

    system.build.view = pkgs.mkView {
      name = "system-view";
      inherit roots;
      recommends = cfg.recommends;
      exclude = cfg.excludedPackages;
    };

    # Why each package of the view is in it, for `esker why-big`.
    system.build.packageGraph = {
      packages = map (p: { name = p.pname; path = p.outPath; inherit (p.debian) depends; }) config.system.build.view.packages;
      roots = map (p: { inherit (p.debian) name; inherit (p) wantedBy; }) (lib.filter (p: p ? debian) roots);
    };

    # How packages are laid out, in /usr and /etc alike.
    system.build.layout = {
      overlays = cfg.overlays;
      alternatives = cfg.alternatives;
      ids = config.users.build.ids;
      permissions = lib.mapAttrs (_: lib.filterAttrs (_: v: v != null)) config.security.permissions;
      # What maintainer scripts do that no generated fragment explains.
      decisions = ../../pkgs/maintainer-scripts;
    };

    # The system's /usr: EROFS metadata over the packages' contents, and the tree of links that people see.
    system.build.sw = derivation ({
      name = "system-path";
      system = "builtin";
      builder = "builtin:system-view";
      __structuredAttrs = true;
      view = config.system.build.view;
    } // config.system.build.layout);
  };
}
