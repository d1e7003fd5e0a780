# `esker.mirrors`: where this machine fetches Debian's archive from, as sources of apt, which Esker reads too.
{ lib, config, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.esker.mirrors;

  mirrorsOf = archive: mkOption {
    type = types.listOf (types.strMatching "(https?://|file:/).*");
    default = [ ];
    description = ''
      Addresses of mirrors of `${archive}`, the preferred one first. Without any, `esker --mirror` or the environment
      variable ESKER_MIRROR_${lib.toUpper (lib.replaceStrings [ "-" ] [ "_" ] archive)} names them when something is fetched.
    '';
  };

  stanza = addresses: suites: lib.optionalString (addresses != [ ]) ''
    Types: deb
    URIs: ${lib.concatStringsSep " " addresses}
    Suites: ${lib.concatStringsSep " " suites}
    Components: main non-free-firmware
    Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

  '';
in
{
  options.esker.mirrors = {
    debian = mirrorsOf "debian";
    debian-security = mirrorsOf "debian-security";
  };

  config.environment.etc = lib.mkIf (cfg.debian ++ cfg.debian-security != [ ]) {
    "apt/sources.list.d/esker.sources".text =
      stanza cfg.debian [ "trixie" "trixie-updates" ] + stanza cfg.debian-security [ "trixie-security" ];
  };
}
