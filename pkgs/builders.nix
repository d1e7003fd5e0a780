# Builders: from packages and texts to views, trees and files.
#
# `builtin:*` builders run inside Esker's own process (crates/compose, initrd/); the others run in a sandbox whose
# /usr is a view of Debian packages, so that every program is where it expects itself to be.
{ lib, system, deb, pkgs }:

let
  inherit (lib) escapeShellArg;

  packageRoot = p: {
    inherit (p.debian) name version;
    wantedBy = p.wantedBy or "the configuration";
  };
  isDebian = p: p ? debian;
in
rec {
  # Packages that say who wants them, for explanations of what cannot be had together.
  wantedBy = who: map (p: p // { wantedBy = who; });

  # The packages that `roots` need, in unpack order. Each is a derivation with `.debian.depends`: the names of the
  # packages that satisfy its dependencies in this very solution.
  solve =
    { roots, recommends ? false, exclude ? [ ] }:
    map (record: deb.package record) (
      builtins.__debianSolve {
        inherit system recommends exclude;
        roots = map packageRoot (builtins.filter isDebian (lib.unique roots));
      }
    );

  # A view: the packages `roots` and all that they depend on, with the dependency graph.
  # Type: { name, roots, … } → derivation with `.packages`
  mkView =
    { name ? "view", roots, recommends ? false, exclude ? [ ] }:
    let
      packages = solve { inherit roots recommends exclude; };
    in
    derivation {
      inherit name;
      system = "builtin";
      builder = "builtin:view";
      __structuredAttrs = true;
      packages = map (p: p.outPath) packages;
      graph = builtins.listToAttrs (map (p: lib.nameValuePair p.pname p.debian.depends) packages);
    }
    // {
      inherit packages;
    };

  # Run a shell script in a sandbox whose /usr is a view of `packages`.
  runInView =
    name:
    { packages, script, ... }@args:
    derivation (
      {
        inherit name system script;
        builder = "/bin/sh";
        args = [ "-euc" ''. "$scriptPath"'' ];
        passAsFile = [ "script" ];
        view = mkView { name = "${name}-view"; roots = packages; };
        LC_ALL = "C.UTF-8";
        PATH = "/usr/sbin:/usr/bin";
      }
      // removeAttrs args [ "packages" "script" ]
    );

  # runCommand as in nixpkgs: attributes become environment variables, `nativeBuildInputs` join the view.
  runCommand =
    name: attrs: script:
    runInView name (
      removeAttrs attrs [ "nativeBuildInputs" "buildInputs" ]
      // {
        inherit script;
        packages = [ pkgs.coreutils pkgs.dash pkgs.bash pkgs.sed pkgs.grep pkgs.gawk or pkgs.mawk pkgs.findutils ]
          ++ attrs.nativeBuildInputs or [ ]
          ++ attrs.buildInputs or [ ];
      }
    );
  runCommandLocal = runCommand;

  # A tree written down: { "path" = { text | source | link | directory, executable ? false }; }. The path "" is the
  # output itself.
  mkTree =
    name: entries:
    derivation {
      inherit name entries;
      system = "builtin";
      builder = "builtin:tree";
      __structuredAttrs = true;
    };

  writeTextFile =
    { name, text, executable ? false, destination ? "", meta ? { }, ... }:
    mkTree name { ${lib.removePrefix "/" destination} = { inherit text executable; }; } // { inherit meta; };

  writeText = name: text: writeTextFile { inherit name text; };

  writeShellScript = name: text: writeTextFile {
    inherit name;
    executable = true;
    text = "#!/bin/bash\n${text}\n";
  };

  writeShellScriptBin = name: text: writeTextFile {
    inherit name;
    executable = true;
    destination = "/bin/${name}";
    text = "#!/bin/bash\n${text}\n";
    meta.mainProgram = name;
  };

  writeShellApplication =
    { name, text, runtimeInputs ? [ ], ... }:
    writeShellScriptBin name ''
      set -o errexit -o nounset -o pipefail
      ${lib.optionalString (runtimeInputs != [ ]) ''export PATH="${lib.makeBinPath runtimeInputs}:$PATH"''}
      ${text}'';

  # A farm of links: [ { name, path } ] or { name = path; }.
  linkFarm =
    name: entries:
    mkTree name (
      if builtins.isAttrs entries then
        builtins.mapAttrs (_: path: { link = "${path}"; }) entries
      else
        builtins.listToAttrs (map (e: lib.nameValuePair e.name { link = "${e.path}"; }) entries)
    );

  formats = lib.formats { inherit pkgs; };
  caches = import ./caches.nix { inherit lib pkgs; };
  kernelPackages = import ./kernel.nix { inherit lib pkgs system; };
  vm = import ./vm.nix { inherit pkgs; };
  linuxPackages = kernelPackages.standard;
  linuxPackages_cloud = kernelPackages.cloud;

  # Esker's own target programs for this system: one content-addressed path with bin/{init,activate,agent,esker}.
  runtime = builtins.__runtime system;

  # The library, modules and package set of this very evaluation. Copies and not links: they import each other by relative
  # paths, and an import looks where a link leads.
  share = mkTree "esker-share" (builtins.mapAttrs (_: path: { source = "${path}"; }) builtins.__share);
}
