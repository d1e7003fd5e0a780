# String contexts: what a derivation's attributes drag into its inputs.
{ d, files }:
let
  dep = d { name = "dep"; };
  other = d { name = "other"; outputs = [ "out" "dev" ]; inherit dep; };
  text = builtins.toFile "text" "content";
  ref = builtins.toFile "ref" "see ${text}";
  discard = builtins.unsafeDiscardStringContext;
in
{
  inherit dep other;
  output = d { x = "${dep}"; };
  inside-string = d { x = "a${dep}b${other.dev}c"; };
  concatenated = d { x = "a" + dep + "b"; };
  in-list = d { x = [ dep "x" other ]; };
  substring-keeps = d { x = builtins.substring 0 5 "${dep}"; };
  empty-substring-keeps = d { x = builtins.substring 0 0 "${dep}"; };
  replaced = d { x = builtins.replaceStrings [ "a" ] [ "${dep}" ] "banana"; };
  not-replaced = d { x = builtins.replaceStrings [ "z" ] [ "${dep}" ] "banana"; };
  separator = d { x = builtins.concatStringsSep "${dep}" [ "a" "b" ]; };
  split = d { x = builtins.concatStringsSep "" (builtins.filter builtins.isString (builtins.split "-" "${dep}")); };
  json = d { x = builtins.toJSON { a = dep; b = files; }; };
  xml = d { x = builtins.toXML [ "${dep}" "${files}" ]; };
  to-string = d { x = toString [ dep other.dev ]; };
  base-name = d { x = baseNameOf "${dep}/x"; };
  dir-name = d { x = dirOf "${dep}/x"; };
  hashed = d { x = builtins.hashString "sha256" "${dep}"; };
  discarded = d { x = discard "${dep}"; };
  drv-path = d { x = dep.drvPath; };
  drv-path-deep = d { x = other.drvPath; };
  drv-file-alone = d { x = builtins.unsafeDiscardOutputDependency other.drvPath; };
  drv-deepened-again = d { x = builtins.addDrvOutputDependencies (builtins.unsafeDiscardOutputDependency other.drvPath); };
  drv-of-multi-line-file = d { x = other.drvPath; y = "${dep}"; z = text; };
  path = d { x = files; };
  path-interpolated = d { x = "${files}/a.txt"; };
  path-below = d { x = files + "/sub"; };
  file = d { x = files + "/a.txt"; };
  executable-file = d { x = files + "/run.sh"; };
  link = d { x = files + "/link"; };
  path-as-text = d { x = discard (toString (baseNameOf files)); };
  path-builtin = d { x = builtins.path { path = files; name = "renamed"; }; };
  path-filtered = d { x = builtins.path { path = files; name = "filtered"; filter = p: t: t == "directory" || baseNameOf p == "b.txt"; }; };
  path-flat = d { x = builtins.path { path = files + "/a.txt"; recursive = false; }; };
  filter-source = d { x = builtins.filterSource (p: t: t != "symlink") files; };
  to-file = d { x = text; };
  to-file-with-reference = d { x = ref; };
  to-file-in-args = d { args = [ ref ]; };
  to-file-as-builder = d { builder = ref; };
  to-file-of-path = d { x = builtins.toFile "f" "${files}"; };
  append-context = d { x = builtins.appendContext "x" (builtins.getContext "${dep}"); };
  append-context-of-drv = d { x = builtins.appendContext "x" (builtins.getContext other.drvPath); };
  append-outputs = d { x = builtins.appendContext "x" { ${discard other.drvPath} = { outputs = [ "dev" "out" ]; }; }; };
  same-path-twice = d { x = files; y = "${files}"; z = [ files files ]; };
  allowed-references = d { allowedReferences = [ dep "out" ]; };
  no-allowed-references = d { allowedReferences = [ ]; allowedRequisites = [ ]; };
  disallowed = d { disallowedReferences = [ dep ]; disallowedRequisites = [ other ]; };
  export-references-graph = d { exportReferencesGraph = [ "graph" dep ]; };
  export-two-graphs = d { exportReferencesGraph = [ "a" dep "b" other.dev ]; };
  export-drv-graph = d { exportReferencesGraph = [ "graph" other.drvPath ]; };
  attribute-set-name-has-no-context = d { ${discard "${dep}"} = 1; };
  out-path-of-set = d { x = { outPath = "${dep}/y"; }; };
  to-string-function = d { x = { __toString = self: "${dep}"; }; };
  chain = builtins.foldl' (acc: i: d { name = "n${toString i}"; inherit acc; }) dep (builtins.genList (i: i) 30);
  wide = d { x = builtins.genList (i: d { name = "w${toString i}"; }) 40; };
  text-of-many = d { x = builtins.toFile "many" (builtins.concatStringsSep "\n" (builtins.genList (i: builtins.toFile "t${toString i}" (toString i)) 10)); };
}
