{ lib, ... }:
{
  imports = [ ./b.nix ];
  options.fromA = lib.mkOption { default = "a"; };
  config.list = [ "a" ];
}
