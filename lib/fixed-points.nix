# Fixed points: functions that receive their own result, and ways to extend them.
#
# What it is not: a module system. Overlays and scopes are built here; options are in modules.nix.
{ lib }:
rec {
  # fix :: (a -> a) -> a
  # The value `x` for which `x = f x`; laziness makes the reference to itself safe.
  #   fix (self: { a = 1; b = self.a + 1; }) => { a = 1; b = 2; }
  fix =
    f:
    let
      x = f x;
    in
    x;

  # fix' :: (a -> a) -> a
  # As `fix`, and keeps the function that was tied as `__unfix__`.
  #   (fix' (self: { a = 1; })).a => 1
  fix' =
    f:
    let
      x = f x // {
        __unfix__ = f;
      };
    in
    x;

  # converge :: (a -> a) -> a -> a
  # Applies a function until its result no longer changes.
  #   converge (x: x / 2) 16 => 0
  converge =
    f: x:
    let
      next = f x;
    in
    if next == x then x else converge f next;

  # extends :: (a -> a -> a) -> (a -> a) -> a -> a
  # Lays an overlay (`final: prev: { … }`) over a self-referring attribute set.
  #   fix (extends (final: prev: { b = prev.a + 1; }) (self: { a = 1; })) => { a = 1; b = 2; }
  extends =
    overlay: f: final:
    let
      prev = f final;
    in
    prev // overlay final prev;

  # composeExtensions :: (a -> a -> a) -> (a -> a -> a) -> a -> a -> a
  # One overlay that does what two do, the second seeing the first's result.
  #   composeExtensions (f: p: { a = 1; }) (f: p: { b = p.a + 1; }) { } { } => { a = 1; b = 2; }
  composeExtensions =
    f: g: final: prev:
    let
      first = f final prev;
    in
    first // g final (prev // first);

  # composeManyExtensions :: [a -> a -> a] -> a -> a -> a
  # One overlay that does what a list of them does, in order.
  #   composeManyExtensions [ (f: p: { a = 1; }) (f: p: { a = p.a + 1; }) ] { } { } => { a = 2; }
  composeManyExtensions = lib.foldr composeExtensions (final: prev: { });

  # makeExtensible :: (a -> a) -> a
  # The fixed point of a function, with `extend`, which lays an overlay over it.
  #   (makeExtensible (self: { a = 1; })).extend (final: prev: { b = final.a; }) ? b => true
  makeExtensible = makeExtensibleWithCustomName "extend";

  # makeExtensibleWithCustomName :: String -> (a -> a) -> a
  # As `makeExtensible`, with a name of one's own for the `extend` attribute.
  #   ((makeExtensibleWithCustomName "grow" (self: { a = 1; })).grow (f: p: { a = 2; })).a => 2
  makeExtensibleWithCustomName =
    extenderName: rattrs:
    fix' (
      self:
      rattrs self
      // {
        ${extenderName} = overlay: makeExtensibleWithCustomName extenderName (extends overlay rattrs);
      }
    );

  # toExtension :: (a | a -> b -> a | a -> b) -> (a -> a -> a)
  # Turns an attribute set, or a function of the previous value, into an overlay.
  #   toExtension { a = 1; } { } { } => { a = 1; }
  #   toExtension (prev: { a = prev.b; }) { } { b = 2; } => { a = 2; }
  toExtension =
    f:
    if !lib.isFunction f then
      final: prev: f
    else
      final: prev:
      let
        applied = f prev;
      in
      if lib.isFunction applied then f final prev else applied;
}
