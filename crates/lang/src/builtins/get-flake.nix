# `builtins.getFlake`: the outputs of a flake. Its inputs are what its flake.lock pins; those of a flake without one are
# fetched as flake.nix declares them and pinned for this evaluation only: nothing is written.
#
# A place is { sourceInfo, outPath }: what was fetched, and the flake's folder in it. A node is a place with `inputs`
# (nodes by name), `ready` (a value whose evaluation fetches all of them) and `result` (what the user of a flake gets).
rootAttrs: pure:
let
  inherit (builtins) attrNames attrValues foldl' head intersectAttrs isList isString mapAttrs seq substring;

  fetch = attrs: builtins.fetchTree (removeAttrs attrs [ "dir" ]);
  place = attrs: sourceInfo: {
    inherit sourceInfo;
    outPath = sourceInfo.outPath + (if attrs.dir or "" == "" then "" else "/" + attrs.dir);
  };
  isRelative = ref: ref.type == "path" && substring 0 1 ref.path != "/";

  follow = foldl' (node: name: node.inputs.${name});
  results = mapAttrs (_: input: input.result);

  flakeNode = { sourceInfo, outPath }@place: inputs: ready:
    let
      outputs = (import "${outPath}/flake.nix").outputs (results inputs // { self = result; });
      result =
        outputs // sourceInfo // { inherit outPath outputs sourceInfo; inputs = results inputs; _type = "flake"; };
    in
    place // { inherit inputs ready result; };

  treeNode = { sourceInfo, outPath }@place:
    place // { inputs = { }; ready = outPath; result = sourceInfo // { inherit outPath; }; };

  # The inputs of a lock file's root, which is the node `root`. An input is a node's name there, or the way to it from
  # the root (`follows`).
  lockedInputs = lock: root:
    let
      inputsOf = info: mapAttrs (_: spec: if isList spec then follow root spec else nodes.${spec}) (info.inputs or { });
      nodes = mapAttrs (name: info:
        let
          parent = follow root info.parent;
          sourceInfo =
            if isRelative info.locked then parent.sourceInfo // { outPath = "${parent.outPath}/${info.locked.path}"; }
            else fetch info.locked;
          here = place info.locked sourceInfo;
        in
        if info.flake or true then flakeNode here (inputsOf info) null else treeNode here
      ) (removeAttrs lock.nodes [ lock.root ]);
    in
    inputsOf lock.nodes.${lock.root};

  # What flake.nix declares, and the arguments of its outputs that it does not: those are looked up by their names.
  declaredInputs = flake:
    mapAttrs (_: _: { }) (removeAttrs (builtins.functionArgs flake.outputs) [ "self" ]) // flake.inputs or { };

  # The flake at a place. `overrides` are what another flake declares for some of its inputs, as requests:
  # { spec, node }, the declaration and the flake that has it.
  open = { sourceInfo, outPath }@place: overrides:
    let
      lockFile = "${outPath}/flake.lock";
      isLocked = builtins.pathExists lockFile;
      declared = declaredInputs (import "${outPath}/flake.nix");
      requests = mapAttrs (_: spec: { inherit spec node; }) (if isLocked then { } else declared);
      requested = mapAttrs request (requests // intersectAttrs declared overrides);
      locked = if isLocked then lockedInputs (builtins.fromJSON (builtins.readFile lockFile)) node else { };
      node = flakeNode place (locked // mapAttrs (_: input: input.found) requested) ready;
      ready = foldl' (done: input: seq (if input.isOwn then input.found.ready else null) done) null (attrValues requested);
    in
    node;

  # A requested input; it is the flake's own unless it is one that is elsewhere already.
  request = name: { spec, node }:
    if spec ? follows then
      { isOwn = false; found = follow node (builtins.filter isString (builtins.split "/" spec.follows)); }
    else
      {
        isOwn = true;
        found =
          let
            here = inputPlace name (reference name spec) node;
            overrides = mapAttrs (_: spec: { inherit spec node; }) (spec.inputs or { });
          in
          if spec.flake or true then open here overrides else treeNode here;
      };

  # The fetcher's attributes that a declaration names.
  reference = name: spec:
    let
      rest = removeAttrs spec [ "url" "flake" "inputs" ];
      url = spec.url or "flake:${name}";
    in
    if rest ? type then rest
    else if rest != { } then throw "unexpected flake input attribute '${head (attrNames rest)}'"
    else builtins.parseFlakeRef (if substring 0 1 url == "." then "path:${url}" else url);

  inputPlace = name: ref: node:
    let
      # A path value has no `.` and `..` left in it, and no context, which an empty part of the text gives back.
      text = builtins.unsafeDiscardStringContext "${node.outPath}/${ref.path}";
      outPath = substring 0 0 node.outPath + toString (/. + text);
    in
    if isRelative ref then place ref { inherit outPath; } // { sourceInfo = { inherit (node.sourceInfo) outPath; }; }
    else if ref.type == "indirect" then
      throw "flake input '${name}' would have to be looked up in a registry, which is not supported; give it a 'url', or the flake a flake.lock"
    else if pure && !(ref ? narHash || ref ? rev) then throw "cannot update unlocked flake input '${name}' in pure mode"
    else place ref (fetch ref);

  root = open (place rootAttrs (fetch rootAttrs)) { };
in
seq root.ready root.result
