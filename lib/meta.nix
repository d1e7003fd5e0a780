# Metadata of packages: platforms, priorities, main programs.
#
# What it is not: a policy; nothing here refuses a package for its licence.
{ lib }:
let
  inherit (lib.strings) escapeNixString;
in
rec {
  # addMetaAttrs :: AttrSet -> Derivation -> Derivation
  # Adds metadata.
  #   (addMetaAttrs { a = 1; } { meta.b = 2; }).meta => { a = 1; b = 2; }
  addMetaAttrs =
    newAttrs: drv:
    if drv ? overrideAttrs then
      drv.overrideAttrs (old: {
        meta = (old.meta or { }) // newAttrs;
      })
    else
      drv // { meta = (drv.meta or { }) // newAttrs; };

  # dontDistribute :: Derivation -> Derivation
  # Asks build farms to leave the package alone.
  #   (dontDistribute { }).meta.hydraPlatforms => [ ]
  dontDistribute = addMetaAttrs { hydraPlatforms = [ ]; };

  # setName :: String -> Derivation -> Derivation
  # Changes the name.
  #   (setName "b" { name = "a"; }).name => "b"
  setName = name: drv: drv // { inherit name; };

  # updateName :: (String -> String) -> Derivation -> Derivation
  # Changes the name by a function.
  #   (updateName (n: "x-" + n) { name = "a"; }).name => "x-a"
  updateName = updater: drv: drv // { name = updater drv.name; };

  # appendToName :: String -> Derivation -> Derivation
  # Puts a suffix between name and version.
  #   (appendToName "static" { name = "hello-1.0"; }).name => "hello-static-1.0"
  appendToName =
    suffix:
    updateName (
      name:
      let
        x = builtins.parseDrvName name;
      in
      "${x.name}-${suffix}-${x.version}"
    );

  # mapDerivationAttrset :: (Derivation -> Derivation) -> AttrSet -> AttrSet
  # Maps the derivations of a set.
  #   meta.mapDerivationAttrset (d: 1) { a.type = "derivation"; b = 2; } => { a = 1; b = 2; }
  mapDerivationAttrset = f: builtins.mapAttrs (name: pkg: if lib.isDerivation pkg then f pkg else pkg);

  # defaultPriority :: Int
  # A package's priority when it states none; smaller wins.
  #   meta.defaultPriority => 5
  defaultPriority = 5;

  # setPrio :: Int -> Derivation -> Derivation
  # Sets the priority that decides between colliding files.
  #   (setPrio 3 { }).meta.priority => 3
  setPrio = priority: addMetaAttrs { inherit priority; };

  # lowPrio :: Derivation -> Derivation
  # Gives way to other packages.
  #   (lowPrio { }).meta.priority => 10
  lowPrio = setPrio 10;

  # lowPrioSet :: AttrSet -> AttrSet
  # `lowPrio` of each derivation.
  #   (lowPrioSet { a.type = "derivation"; }).a.meta.priority => 10
  lowPrioSet = mapDerivationAttrset lowPrio;

  # hiPrio :: Derivation -> Derivation
  # Comes before other packages.
  #   (hiPrio { }).meta.priority => (-10)
  hiPrio = setPrio (-10);

  # hiPrioSet :: AttrSet -> AttrSet
  # `hiPrio` of each derivation.
  #   (hiPrioSet { a.type = "derivation"; }).a.meta.priority => (-10)
  hiPrioSet = mapDerivationAttrset hiPrio;

  # platformMatch :: Platform -> (String | AttrSet) -> Bool
  # Whether a platform is the named one, or has what a pattern says.
  #   meta.platformMatch { system = "x86_64-linux"; } "x86_64-linux" => true
  platformMatch =
    platform: elem:
    if builtins.isString elem then
      platform ? system && elem == platform.system
    else
      lib.matchAttrs (if elem ? parsed then elem else { parsed = elem; }) platform;

  # availableOn :: Platform -> Derivation -> Bool
  # Whether a package's metadata admit a platform.
  #   meta.availableOn { system = "x86_64-linux"; } { meta.platforms = [ "aarch64-linux" ]; } => false
  availableOn =
    platform: pkg:
    (!(pkg ? meta.platforms) || builtins.any (platformMatch platform) pkg.meta.platforms)
    && builtins.all (elem: !platformMatch platform elem) (pkg.meta.badPlatforms or [ ]);

  # licensesSpdx :: AttrSet
  # Licences by SPDX identifier.
  #   meta.licensesSpdx.MIT.shortName => "mit"
  licensesSpdx = builtins.listToAttrs (
    builtins.concatMap (
      l: lib.optional (l ? spdxId && !(l ? deprecated && l.deprecated)) (lib.nameValuePair l.spdxId l)
    ) (builtins.attrValues lib.licenses)
  );

  # getLicenseFromSpdxId :: String -> AttrSet
  # The licence of an SPDX identifier, or a set with that identifier as its short name.
  #   (getLicenseFromSpdxId "mit").spdxId => "MIT"
  getLicenseFromSpdxId =
    licstr:
    getLicenseFromSpdxIdOr licstr (
      lib.warn "getLicenseFromSpdxId: no licence has the SPDX identifier `${licstr}`" {
        shortName = licstr;
      }
    );

  # getLicenseFromSpdxIdOr :: String -> a -> (AttrSet | a)
  # The licence of an SPDX identifier in any case, or a default.
  #   getLicenseFromSpdxIdOr "none such" null => null
  getLicenseFromSpdxIdOr =
    let
      lowered = lib.mapAttrs' (name: lib.nameValuePair (lib.toLower name)) licensesSpdx;
    in
    licstr: default: lowered.${lib.toLower licstr} or default;

  # getExe :: Derivation -> String
  # The path of a package's main program.
  #   getExe { type = "derivation"; outPath = "/p"; name = "a-1"; pname = "a"; meta.mainProgram = "x"; } => "/p/bin/x"
  getExe =
    x:
    getExe' x (
      x.meta.mainProgram or (lib.warn
        "getExe: package ${escapeNixString x.meta.name or x.pname or x.name} does not state `meta.mainProgram`; its name is used"
        (lib.getName x)
      )
    );

  # getExe' :: Derivation -> String -> String
  # The path of one of a package's programs.
  #   getExe' { type = "derivation"; outPath = "/p"; } "y" => "/p/bin/y"
  getExe' =
    x: y:
    assert lib.assertMsg (lib.isDerivation x)
      "getExe': the first argument is of type ${builtins.typeOf x}, not a derivation";
    assert lib.assertMsg (builtins.isString y)
      "getExe': the second argument is of type ${builtins.typeOf y}, not a string";
    assert lib.assertMsg (builtins.match ".*/.*" y == null)
      "getExe': the second argument `${y}` is a path; the name of a program was expected";
    "${lib.getBin x}/bin/${y}";
}
