# Names that nixpkgs' users type, for packages that Debian calls otherwise. Only those that the archive has.
{ lib, debian }:

let
  present = lib.filterAttrs (_: name: debian ? ${name}) {
    gnugrep = "grep";
    gnused = "sed";
    gnutar = "tar";
    gnumake = "make";
    gawk = "gawk";
    openssh = "openssh-client";
    inetutils = "inetutils-telnet";
    iputils = "iputils-ping";
    iproute = "iproute2";
    shadow = "passwd";
    utillinux = "util-linux";
    xz = "xz-utils";
    fd = "fd-find";
    bat = "bat";
    dnsutils = "bind9-dnsutils";
    bind = "bind9";
    nettools = "net-tools";
    pciutils = "pciutils";
    usbutils = "usbutils";
    python = "python3";
    nodejs_20 = "nodejs";
    go = "golang-go";
    jdk = "default-jdk-headless";
    jre = "default-jre-headless";
    ruby_3_3 = "ruby";
    postgresql_17 = "postgresql-17";
    sqlite = "sqlite3";
    cacert = "ca-certificates";
    glibc = "libc6";
    glibcLocales = "locales";
    nix = "nix-bin";
    networkmanager = "network-manager";
    procps-ng = "procps";
    bashInteractive = "bash";
    vimHugeX = "vim";
    vim_configurable = "vim";
    neovim = "neovim";
    rg = "ripgrep";
    httpie = "httpie";
    imagemagick = "imagemagick";
    gnupg = "gnupg";
    man = "man-db";
    which = "debianutils";
    killall = "psmisc";
    dosfstools = "dosfstools";
    parted = "parted";
    gptfdisk = "gdisk";
    cryptsetup = "cryptsetup-bin";
    btrfs-progs = "btrfs-progs";
    xfsprogs = "xfsprogs";
    ntfs3g = "ntfs-3g";
    chrony = "chrony";
    fish = "fish";
    zsh = "zsh";
  };
in
builtins.mapAttrs (_: name: debian.${name}) (lib.filterAttrs (alias: name: alias != name) present)
