# Kernels: Debian's images, found through their metapackages, and the module trees that modprobe reads.
{ lib, pkgs, system }:

let
  arch = { x86_64-linux = "amd64"; aarch64-linux = "arm64"; }.${system};

  # The metapackage's one `linux-image-…` dependency is the kernel of the day.
  imageOf =
    meta:
    let
      found = builtins.match ".*(linux-image-[0-9][^ ,(]*).*" pkgs.${meta}.debian.depends;
    in
    if found == null then throw "package `${meta}` names no kernel image" else pkgs.${builtins.head found};

  packagesFor =
    flavour: meta:
    let
      image = imageOf meta;
      version = lib.removePrefix "linux-image-" image.pname;
    in
    {
      # `standard` for any machine, `cloud` without the drivers of real hardware.
      inherit flavour;

      # What its initrd carries for disks, beside the drivers of virtual machines.
      storageDrivers = lib.optionals (flavour == "standard") (import ./storage-drivers.nix { inherit lib system; });

      # The kernel package, with the version that names its module folder and the path of its image.
      kernel = image // {
        modDirVersion = version;
        file = "${image}/boot/vmlinuz-${version}";
      };

      # lib/modules/VERSION with the indices that depmod makes; the modules themselves stay in the kernel's path.
      modules = pkgs.runInView "kernel-modules-${builtins.replaceStrings [ "~" ] [ "-" ] version}" {
        # libkmod opens the decompressor when it meets a compressed module, and depends on none.
        packages = [ pkgs.kmod pkgs.coreutils pkgs.dash pkgs.grep pkgs.liblzma5 pkgs.libzstd1 ];
        kernel = image;
        inherit version;
        script = builtins.readFile ./caches/modules-dep.sh;
      };
    };
in
{
  cloud = packagesFor "cloud" "linux-image-cloud-${arch}";
  standard = packagesFor "standard" "linux-image-${arch}";
}
