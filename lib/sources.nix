# Sources: folders copied to the store through a filter.
#
# What it is not: fetching. Filters that compose without functions are in fileset.nix.
{ lib }:
let
  inherit (builtins) match pathExists readFile;

  toSourceAttributes =
    src:
    let
      isFiltered = src ? _isLibCleanSourceWith;
    in
    {
      origSrc = if isFiltered then src.origSrc else src;
      filter = if isFiltered then src.filter else _: _: true;
      name = if isFiltered then src.name else "source";
    };

  fromSourceAttributes =
    {
      origSrc,
      filter,
      name,
    }:
    {
      _isLibCleanSourceWith = true;
      inherit origSrc filter name;
      outPath = builtins.path {
        inherit filter name;
        path = origSrc;
      };
    };
in
rec {
  inherit (lib.filesystem) pathType pathIsDirectory pathIsRegularFile;

  # cleanSourceFilter :: Path -> String -> Bool
  # False for what version control, editors and builds leave behind.
  #   cleanSourceFilter "/x/.git" "directory" => false
  #   cleanSourceFilter "/x/a.c" "regular" => true
  cleanSourceFilter =
    name: type:
    let
      base = baseNameOf (toString name);
      isVersionControl =
        base == ".git"
        || type == "directory" && builtins.elem base [ ".svn" "CVS" ".hg" ".jj" ".pijul" "_darcs" ];
      isEditorLeftover = lib.hasSuffix "~" base || match "\\.sw[a-z]" base != null || match "\\..*\\.sw[a-z]" base != null;
      isBuildResult =
        lib.hasSuffix ".o" base
        || lib.hasSuffix ".so" base
        || (type == "symlink" && lib.hasPrefix "result" base)
        || type == "unknown";
    in
    !(isVersionControl || isEditorLeftover || isBuildResult);

  # cleanSource :: Path -> Source
  # A source without what `cleanSourceFilter` refuses.
  #   isStringLike (cleanSource ./strings) => true
  cleanSource =
    src:
    cleanSourceWith {
      filter = cleanSourceFilter;
      inherit src;
    };

  # cleanSourceWith :: { src; filter ? …; name ? null; } -> Source
  # A source through a filter; filters of nested calls are all applied.
  #   (cleanSourceWith { src = ./strings; name = "x"; }).name => "x"
  cleanSourceWith =
    {
      filter ? _path: _type: true,
      src,
      name ? null,
    }:
    let
      orig = toSourceAttributes src;
    in
    fromSourceAttributes {
      inherit (orig) origSrc;
      filter = path: type: filter path type && orig.filter path type;
      name = if name != null then name else orig.name;
    };

  # trace :: Source -> Source
  # Prints each path as it is filtered.
  #   (sources.trace (cleanSource ./strings)).name => "source"
  trace =
    src:
    let
      attrs = toSourceAttributes src;
    in
    fromSourceAttributes (
      attrs
      // {
        filter =
          path: type:
          let
            keep = attrs.filter path type;
          in
          builtins.trace "${toString attrs.name}.filter ${path} = ${lib.boolToString keep}" keep;
      }
    )
    // {
      satisfiesSubpathInvariant = src.satisfiesSubpathInvariant or false;
    };

  # sourceByRegex :: Path -> [String] -> Source
  # Only what one of the regular expressions matches, relative to the folder.
  #   isStringLike (sourceByRegex ./strings [ ".*\\.nix" ]) => true
  sourceByRegex =
    src: regexes:
    let
      origSrc = (toSourceAttributes src).origSrc;
    in
    cleanSourceWith {
      inherit src;
      filter =
        path: type:
        let
          relative = lib.removePrefix (toString origSrc + "/") (toString path);
        in
        builtins.any (re: match re relative != null) regexes;
    };

  # sourceFilesBySuffices :: Path -> [String] -> Source
  # Only files whose names end in one of the suffixes; all folders.
  #   isStringLike (sourceFilesBySuffices ./strings [ ".nix" ]) => true
  sourceFilesBySuffices =
    src: exts:
    cleanSourceWith {
      inherit src;
      filter =
        name: type: type == "directory" || builtins.any (ext: lib.hasSuffix ext (baseNameOf name)) exts;
    };

  # pathIsGitRepo :: Path -> Bool
  # Whether a path is a Git checkout whose commit can be read.
  #   pathIsGitRepo ./strings => false
  pathIsGitRepo = path: commitOf path != null;

  # shortRev :: String -> String
  # The first seven characters of what looks like a commit, any other name as it is.
  #   sources.shortRev "f11967ae7f0f1ae0b0d3d5dd7a3bdbeaf6fcc9bc" => "f11967a"
  #   sources.shortRev "v1.0" => "v1.0"
  shortRev =
    rev:
    let
      base = baseNameOf rev;
      found = match "^([a-f0-9]{7})[a-f0-9]{33}$" base;
    in
    if found == null then base else builtins.head found;

  # urlToName :: (String | Path) -> String
  # A name for what is fetched from a URL: its last part without `.git` or the ending of an archive.
  #   sources.urlToName "https://host/a/project.git" => "project"
  #   sources.urlToName "https://host/a/project-1.0.tar.gz" => "project-1.0"
  urlToName =
    url:
    let
      base = baseNameOf (lib.removeSuffix "/" (lib.last (lib.splitString ":" (toString url))));
      found = match "(.+)\\.(git|tar|zip|tgz|tbz2|txz|tar\\.[a-z0-9]+)" base;
      short = match "(.+)\\.tar\\.[a-z0-9]+" base;
    in
    if short != null then builtins.head short else if found != null then builtins.head found else base;

  # commitIdFromGitRepo :: Path -> String
  # The commit a checkout is at; fails when it cannot be read.
  #   fails (commitIdFromGitRepo ./strings) => true
  commitIdFromGitRepo =
    path:
    let
      commit = commitOf path;
    in
    if commit == null then throw "commitIdFromGitRepo: `${toString path}` is no Git checkout" else commit;

  # The commit of a `.git` folder, or of the file that a worktree has in its place.
  commitOf =
    path:
    let
      gitPath = toString path;
      head = "${gitPath}/HEAD";
      worktree = match "gitdir: (.*)" (lib.fileContents gitPath);
      resolve =
        ref:
        let
          file = "${gitPath}/${ref}";
          packed = "${gitPath}/packed-refs";
          inPacked = builtins.match ".*\n([0-9a-f]+) ${lib.escapeRegex ref}\n.*" ("\n" + readFile packed);
          target = match "ref: (.*)" (lib.fileContents file);
        in
        if lib.pathIsRegularFile file then
          (if target == null then lib.fileContents file else resolve (builtins.head target))
        else if lib.pathIsRegularFile packed && inPacked != null then
          builtins.head inPacked
        else
          null;
    in
    if lib.pathIsRegularFile gitPath && worktree != null then
      commitOf (builtins.head worktree)
    else if pathExists head then
      resolve "HEAD"
    else
      null;

  # pathHasContext :: Any -> Bool
  # Whether a value's text refers to the store.
  #   pathHasContext "/a" => false
  pathHasContext = builtins.hasContext or (lib.hasPrefix builtins.storeDir);

  # canCleanSource :: Any -> Bool
  # Whether a source can be filtered, being a path that is not in the store yet.
  #   canCleanSource ./strings => true
  canCleanSource = src: src ? _isLibCleanSourceWith || !(pathHasContext (toString src));
}
