# A generation of the machine that is built elsewhere and comes over HTTP.
{ lib, ... }:

{
  imports = [ ./own.nix ];

  environment.etc."story".text = lib.mkForce "remote\n";
}
