# `builtins.getFlake`: the outputs of a flake whose inputs are all pinned by its flake.lock.
rootAttrs:
let
  root = builtins.fetchTree (removeAttrs rootAttrs [ "dir" ]);
  rootDir = if rootAttrs ? dir then "/" + rootAttrs.dir else "";
  lockFile = "${root}${rootDir}/flake.lock";
  lock =
    if builtins.pathExists lockFile then
      builtins.fromJSON (builtins.readFile lockFile)
    else
      { nodes.root = { }; root = "root"; };

  # An input is a node's name, or the way to it from the root (`follows`).
  node = spec: if builtins.isList spec then follow lock.root spec else spec;
  follow = from: way:
    if way == [ ] then from
    else follow (node lock.nodes.${from}.inputs.${builtins.head way}) (builtins.tail way);

  flakes = builtins.mapAttrs (name: info:
    let
      isRoot = name == lock.root;
      sourceInfo = if isRoot then root else builtins.fetchTree (removeAttrs info.locked [ "dir" ]);
      dir = if isRoot then rootDir else if info.locked ? dir then "/" + info.locked.dir else "";
      outPath = "${sourceInfo}${dir}";
      flake = import "${outPath}/flake.nix";
      inputs = builtins.mapAttrs (_: spec: flakes.${node spec}) (info.inputs or { });
      outputs = flake.outputs (inputs // { self = result; });
      result = outputs // sourceInfo // { inherit outPath inputs outputs sourceInfo; _type = "flake"; };
    in
    if info.flake or true then result else sourceInfo // { inherit sourceInfo outPath; }
  ) lock.nodes;
in
flakes.${lock.root}
