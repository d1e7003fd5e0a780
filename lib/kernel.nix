# Options of the kernel's configuration, as `structuredExtraConfig` of a kernel patch has them.
#
# What it is not: a kernel build; Esker's kernels are Debian's.
{ lib }:
let
  tristate = value: { tristate = value; optional = false; };
in
{
  # yes :: KernelOption
  # Built in.
  #   kernel.yes => { tristate = "y"; optional = false; }
  yes = tristate "y";

  # module :: KernelOption
  # Built as a module.
  #   kernel.module.tristate => "m"
  module = tristate "m";

  # no :: KernelOption
  # Left out.
  #   kernel.no.tristate => "n"
  no = tristate "n";

  # unset :: KernelOption
  # Whatever the kernel's default is.
  #   kernel.unset.tristate => null
  unset = tristate null;

  # freeform :: a -> KernelOption
  # A value of another kind.
  #   kernel.freeform "1000" => { freeform = "1000"; optional = false; }
  freeform = value: { freeform = value; optional = false; };

  # option :: KernelOption -> KernelOption
  # One that a kernel may not know.
  #   (kernel.option kernel.yes).optional => true
  option = value: value // { optional = true; };

  # whenHelpers :: Version -> AttrSet
  # Conditions on a kernel's version.
  #   ((kernel.whenHelpers "6.1").whenAtLeast "5.10" kernel.yes).condition => true
  #   ((kernel.whenHelpers "6.1").whenOlder "5.10" kernel.yes).condition => false
  #   ((kernel.whenHelpers "6.1").whenBetween "5.10" "6.6" kernel.yes).condition => true
  whenHelpers = version: {
    whenAtLeast = from: lib.mkIf (lib.versionAtLeast version from);
    whenOlder = before: lib.mkIf (lib.versionOlder version before);
    whenBetween = from: before: lib.mkIf (lib.versionAtLeast version from && lib.versionOlder version before);
  };
}
