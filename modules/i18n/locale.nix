# `i18n.*`: the system's language.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.i18n;
  # `C.UTF-8` and `C` need no files beyond libc's own.
  builtin = [ "C.UTF-8" "C" "POSIX" ];
  charsetOf = locale: let m = builtins.match "[^.]*\\.([^@]*).*" locale; in if m == null then "ISO-8859-1" else lib.head m;
  mentioned = lib.unique ([ cfg.defaultLocale ] ++ lib.attrValues cfg.extraLocaleSettings);
  needed = lib.filter (l: !(lib.elem (lib.head (lib.splitString "/" l)) builtin)) cfg.supportedLocales;
in
{
  options.i18n = {
    defaultLocale = mkOption {
      type = types.str;
      default = "en_US.UTF-8";
      example = "nl_NL.UTF-8";
      description = "The language and formats of programs.";
    };
    extraLocaleSettings = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = { LC_TIME = "de_DE.UTF-8"; };
      description = "Single categories that differ.";
    };
    extraLocales = mkOption {
      type = types.either (types.listOf types.str) (types.enum [ "all" ]);
      default = [ ];
      example = [ "nl_NL.UTF-8/UTF-8" ];
      description = "Further locales that are made; `all` makes every one that glibc has.";
    };
    supportedLocales = mkOption {
      type = types.listOf types.str;
      default = lib.unique (map (l: "${l}/${charsetOf l}") mentioned ++ (if cfg.extraLocales == "all" then [ "all" ] else cfg.extraLocales));
      defaultText = "those that the other options mention";
      example = [ "en_US.UTF-8/UTF-8" "de_DE.UTF-8/UTF-8" ];
      description = "Locales that are made.";
    };
  };

  config = {
    environment.etc."locale.conf".text = "LANG=${cfg.defaultLocale}\n"
      + lib.concatStrings (lib.mapAttrsToList (n: v: "${n}=${v}\n") cfg.extraLocaleSettings);
    environment.etc."default/locale".link = "../locale.conf";
    environment.sessionVariables = { LANG = cfg.defaultLocale; } // cfg.extraLocaleSettings;
    system.overlays = lib.optional (needed != [ ]) (pkgs.caches.locales needed);
  };
}
