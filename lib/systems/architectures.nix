# What `gcc -march=NAME` may use of an x86 processor.
#
# What it is not: every processor's name; the levels of the x86-64 ABI and what stands for a generation
# are here. Source: gcc's manual, "x86 Options".
{ lib }:
let
  # Which others each one has all features of, and what it has besides.
  table = {
    default = { };
    x86-64 = { };
    x86-64-v2 = { extends = [ "x86-64" ]; adds = [ "sse3" "ssse3" "sse4_1" "sse4_2" ]; };
    x86-64-v3 = { extends = [ "x86-64-v2" ]; adds = [ "avx" "avx2" "fma" ]; };
    x86-64-v4 = { extends = [ "x86-64-v3" ]; adds = [ "avx512" ]; };
    nehalem.extends = [ "x86-64-v2" ];
    westmere = { extends = [ "nehalem" ]; adds = [ "aes" ]; };
    sandybridge = { extends = [ "westmere" ]; adds = [ "avx" ]; };
    ivybridge.extends = [ "sandybridge" ];
    haswell.extends = [ "ivybridge" "x86-64-v3" ];
    broadwell.extends = [ "haswell" ];
    skylake.extends = [ "broadwell" ];
    skylake-avx512.extends = [ "skylake" "x86-64-v4" ];
    znver1 = { extends = [ "x86-64-v3" ]; adds = [ "aes" "sse4_a" ]; };
    znver2.extends = [ "znver1" ];
    znver3.extends = [ "znver2" ];
    znver4.extends = [ "znver3" "x86-64-v4" ];
  };

  # An architecture and all that it has the features of.
  closure = name: lib.unique ([ name ] ++ lib.concatMap closure (table.${name}.extends or [ ]));
in
rec {
  # features :: { String = [String] }
  # What each architecture has beyond the first x86-64.
  #   systems.architectures.features.x86-64-v2 => [ "sse3" "ssse3" "sse4_1" "sse4_2" ]
  #   elem "avx2" systems.architectures.features.skylake => true
  features = builtins.mapAttrs (
    name: _: lib.unique (lib.concatMap (n: table.${n}.adds or [ ]) (lib.reverseList (closure name)))
  ) table;

  # inferiors :: { String = [String] }
  # The architectures whose programs each one can run, itself left out.
  #   systems.architectures.inferiors.x86-64-v3 => [ "x86-64-v2" "x86-64" ]
  #   systems.architectures.inferiors.default => [ ]
  inferiors = builtins.mapAttrs (name: _: builtins.tail (closure name)) table;

  # canExecute :: String -> String -> Bool
  # Whether a processor of the first architecture runs programs made for the second.
  #   systems.architectures.canExecute "haswell" "x86-64-v3" => true
  #   systems.architectures.canExecute "x86-64-v2" "haswell" => false
  #   systems.architectures.canExecute "znver1" "znver1" => true
  canExecute = host: program: builtins.elem program (closure host);

  # predicates :: { String = String -> Bool }
  # Whether an architecture has a feature, one function for each.
  #   systems.architectures.predicates.avx512Support "skylake-avx512" => true
  #   systems.architectures.predicates.avxSupport "nehalem" => false
  predicates = builtins.listToAttrs (
    map (feature: {
      name = "${feature}Support";
      value = name: builtins.elem feature (features.${name} or [ ]);
    }) (lib.unique (lib.concatLists (builtins.attrValues features)))
  );
}
