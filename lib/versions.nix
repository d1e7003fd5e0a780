# Versions: their parts.
#
# What it is not: Debian's version order; that is builtins' affair. Components are Nix's.
{ lib }:
rec {
  # splitVersion :: String -> [String]
  # A version's components.
  #   versions.splitVersion "1.2.3" => [ "1" "2" "3" ]
  splitVersion = builtins.splitVersion;

  # major :: String -> String
  # The first component.
  #   versions.major "1.2.3" => "1"
  major = v: builtins.elemAt (splitVersion v) 0;

  # minor :: String -> String
  # The second component.
  #   versions.minor "1.2.3" => "2"
  minor = v: builtins.elemAt (splitVersion v) 1;

  # patch :: String -> String
  # The third component.
  #   versions.patch "1.2.3" => "3"
  patch = v: builtins.elemAt (splitVersion v) 2;

  # majorMinor :: String -> String
  # The first two components.
  #   versions.majorMinor "1.2.3" => "1.2"
  majorMinor = v: lib.concatStringsSep "." (lib.take 2 (splitVersion v));

  # pad :: Int -> String -> String
  # A version with exactly n numbers before any suffix.
  #   versions.pad 3 "1.2" => "1.2.0"
  #   versions.pad 3 "1.3-rc1" => "1.3.0-rc1"
  #   versions.pad 3 "1.2.3.4" => "1.2.3"
  pad =
    n: version:
    let
      parts = builtins.match "([^-]*)(-.*)?" version;
      numbers = lib.splitString "." (builtins.head parts);
      suffix = builtins.elemAt parts 1;
      zeros = lib.replicate (lib.max 0 (n - builtins.length numbers)) "0";
    in
    lib.concatStringsSep "." (lib.take n (numbers ++ zeros))
    + lib.optionalString (suffix != null) suffix;
}
