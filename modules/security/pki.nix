# `security.pki`: the authorities that the system trusts.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.security.pki;
  texts = map builtins.readFile cfg.certificateFiles ++ cfg.certificates;
  extra = pkgs.mkTree "certificates" (
    lib.listToAttrs (lib.imap1 (i: text: lib.nameValuePair "${toString i}.crt" { inherit text; }) texts)
  );
in
{
  options.security.pki = {
    installCACerts = mkOption { type = types.bool; default = true; description = "Whether the authorities that Debian trusts are trusted."; };
    certificateFiles = mkOption { type = types.listOf types.path; default = [ ]; description = "Files with further certificates, in PEM."; };
    certificates = mkOption { type = types.listOf types.str; default = [ ]; description = "Further certificates, in PEM."; };
  };

  config = lib.mkIf cfg.installCACerts {
    environment.systemPackages = [ pkgs.ca-certificates ];
    system.overlays = [ (pkgs.caches.caCertificates (if texts == [ ] then null else extra)) ];
  };
}
