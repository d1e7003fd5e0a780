# Files and folders as the evaluator sees them.
#
# What it is not: filtering of sources; see sources.nix and fileset.nix.
{ lib }:
let
  inherit (builtins) readDir readFileType;
in
rec {
  # pathType :: Path -> String
  # "directory", "regular", "symlink" or "unknown".
  #   pathType ./strings => "directory"
  pathType = readFileType;

  # pathIsDirectory :: Path -> Bool
  # Whether a path exists and is a folder.
  #   pathIsDirectory ./strings => true
  #   pathIsDirectory ./no-such-thing => false
  pathIsDirectory = path: builtins.pathExists path && pathType path == "directory";

  # pathIsRegularFile :: Path -> Bool
  # Whether a path exists and is a regular file.
  #   pathIsRegularFile ./default.nix => true
  pathIsRegularFile = path: builtins.pathExists path && pathType path == "regular";

  # haskellPathsInDir :: Path -> AttrSet
  # Folders below a path that hold a Cabal file of their own name.
  #   filesystem.haskellPathsInDir ./strings => { }
  haskellPathsInDir =
    root:
    lib.filterAttrs (_: v: v != null) (
      builtins.mapAttrs (
        name: type:
        if type == "directory" && builtins.pathExists (root + "/${name}/${name}.cabal") then
          root + "/${name}"
        else
          null
      ) (readDir root)
    );

  # locateDominatingFile :: String -> Path -> ({ path; matches; } | null)
  # The nearest folder upwards with an entry that a regular expression matches.
  #   (filesystem.locateDominatingFile "(default)\\.nix" ./strings).path == ./. => true
  locateDominatingFile =
    pattern: file:
    let
      go =
        path:
        let
          matches = builtins.filter (m: m != null) (
            map (builtins.match pattern) (builtins.attrNames (readDir path))
          );
        in
        if matches != [ ] then
          { inherit path matches; }
        else if path == /. then
          null
        else
          go (dirOf path);
      isDir = (readDir (dirOf file)).${baseNameOf file} or "directory" == "directory";
    in
    go (if isDir then file else dirOf file);

  # listFilesRecursive :: Path -> [Path]
  # All files below a folder.
  #   filesystem.listFilesRecursive ./strings == [ ./strings/escape.nix ] => true
  listFilesRecursive =
    dir:
    lib.flatten (
      lib.mapAttrsToList (
        name: type: if type == "directory" then listFilesRecursive (dir + "/${name}") else dir + "/${name}"
      ) (readDir dir)
    );

  # packagesFromDirectoryRecursive :: { callPackage; directory; newScope ? …; } -> AttrSet
  # Packages from a folder: NAME.nix or NAME/package.nix, nested folders as nested sets.
  #   (packagesFromDirectoryRecursive { callPackage = callPackageWith { greeting = "hi"; }; directory = ./tests/packages; }).hello.greeting => "hi"
  packagesFromDirectoryRecursive =
    {
      callPackage,
      directory,
      ...
    }@args:
    let
      defaultPath = directory + "/package.nix";
    in
    if builtins.pathExists defaultPath then
      callPackage defaultPath { }
    else
      lib.concatMapAttrs (
        name: type:
        let
          path = directory + "/${name}";
        in
        if type == "directory" then
          { ${name} = packagesFromDirectoryRecursive (args // { directory = path; }); }
        else if type == "regular" && lib.hasSuffix ".nix" name then
          { ${lib.removeSuffix ".nix" name} = callPackage path { }; }
        else
          { }
      ) (readDir directory);

  # resolveDefaultNix :: (Path | String) -> (Path | String)
  # `default.nix` inside of a folder, another path unchanged.
  #   baseNameOf (filesystem.resolveDefaultNix ./.) => "default.nix"
  resolveDefaultNix =
    v:
    if builtins.isPath v && pathIsDirectory v then
      v + "/default.nix"
    else if builtins.isString v && lib.hasSuffix "/" v then
      "${v}default.nix"
    else
      v;
}
