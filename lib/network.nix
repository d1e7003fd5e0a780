# IP addresses as texts.
#
# What it is not: arithmetic on addresses or networks, and IPv4 in the last groups of IPv6.
{ lib }:
let
  inherit (builtins) length match;

  # The groups of one side of `::`.
  groups = text: if text == "" then [ ] else lib.splitString ":" text;

  # All eight groups; null when the text is no address.
  expand =
    text:
    let
      sides = map groups (lib.splitString "::" text);
      given = lib.concatLists sides;
      missing = 8 - length given;
      all =
        if length sides == 1 && missing == 0 then
          given
        else if length sides == 2 && missing > 0 then
          builtins.head sides ++ lib.replicate missing "0" ++ lib.last sides
        else
          [ ];
    in
    if all != [ ] && lib.all (g: match "[0-9a-fA-F]{1,4}" g != null) all then all else null;

  # Lower case, without leading zeros.
  canonical = group: lib.toLower (lib.toHexString (lib.fromHexString group));
in
{
  # ipv6.fromString :: String -> { address :: String; prefixLength :: Int; }
  # An IPv6 address, with a prefix length or without, in full and in lower case.
  #   network.ipv6.fromString "2001:DB8::ffff/32" => { address = "2001:db8:0:0:0:0:0:ffff"; prefixLength = 32; }
  #   network.ipv6.fromString "::" => { address = "0:0:0:0:0:0:0:0"; prefixLength = 128; }
  #   network.ipv6.fromString "fe80::0042:a:b:c/64" => { address = "fe80:0:0:0:42:a:b:c"; prefixLength = 64; }
  #   fails (network.ipv6.fromString "1::2::3") => true
  #   fails (network.ipv6.fromString "1:2:3:4:5:6:7") => true
  #   fails (network.ipv6.fromString "::12345") => true
  #   fails (network.ipv6.fromString "::1/129") => true
  ipv6.fromString =
    text:
    let
      parts = lib.splitString "/" text;
      all = expand (builtins.head parts);
      prefix = if length parts == 1 then "128" else lib.last parts;
      prefixLength = lib.toIntBase10 prefix;
    in
    if all == null || length parts > 2 then
      throw "lib.network.ipv6.fromString: `${text}` is no IPv6 address"
    else if match "[0-9]{1,3}" prefix == null || prefixLength > 128 then
      throw "lib.network.ipv6.fromString: `${prefix}` in `${text}` is no length of a prefix; it is 0 to 128"
    else
      {
        address = lib.concatMapStringsSep ":" canonical all;
        inherit prefixLength;
      };
}
