{ lib, ... }:
{
  imports = [ ./a.nix ];
  options.fromB = lib.mkOption { default = "b"; };
  config.list = [ "b" ];
}
