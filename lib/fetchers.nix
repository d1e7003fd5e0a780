# What functions that fetch have in common: variables of proxies, and hashes given in one of several ways.
#
# What it is not: fetching; `builtins.fetch*` and derivations do that.
{ lib }:
rec {
  # proxyImpureEnvVars :: [String]
  # Variables that a fixed-output derivation gets from outside to find its proxy.
  #   builtins.elem "http_proxy" fetchers.proxyImpureEnvVars => true
  proxyImpureEnvVars = [
    "http_proxy"
    "https_proxy"
    "ftp_proxy"
    "all_proxy"
    "no_proxy"
    "HTTP_PROXY"
    "HTTPS_PROXY"
    "FTP_PROXY"
    "ALL_PROXY"
    "NO_PROXY"
    "NIX_SSL_CERT_FILE"
  ];

  # normalizeHash :: { hashTypes ? …; required ? true; } -> AttrSet -> AttrSet
  # Replaces `hash`, `sha256` and the like by `outputHash` and `outputHashAlgo`.
  #   fetchers.normalizeHash { } { url = "u"; sha256 = "x"; } => { url = "u"; outputHash = "x"; outputHashAlgo = "sha256"; }
  #   fetchers.normalizeHash { } { hash = "sha256-x"; } => { outputHash = "sha256-x"; outputHashAlgo = null; }
  #   fails (fetchers.normalizeHash { } { }) => true
  #   fails (fetchers.normalizeHash { } { hash = "sha256-x"; sha256 = "y"; }) => true
  normalizeHash =
    {
      hashTypes ? [ "sha256" ],
      required ? true,
    }:
    args:
    let
      names = [ "hash" "outputHash" ] ++ hashTypes;
      given = builtins.filter (name: args ? ${name} && args.${name} != "") names;
      name = builtins.head given;
    in
    if builtins.length given > 1 then
      throw "fetchers.normalizeHash: there is more than one hash: ${builtins.concatStringsSep ", " given}"
    else if given == [ ] then
      if required then throw "fetchers.normalizeHash: a hash is missing: one of ${builtins.concatStringsSep ", " names}" else args
    else
      builtins.removeAttrs args (names ++ [ "outputHashAlgo" ])
      // {
        outputHash = args.${name};
        outputHashAlgo =
          if name == "hash" then null else if name == "outputHash" then args.outputHashAlgo or null else name;
      };

  # withNormalizedHash :: { hashTypes ? …; } -> (AttrSet -> a) -> AttrSet -> a
  # A fetcher that takes a hash in any of the usual ways, of one that takes `outputHash` and `outputHashAlgo`.
  #   fetchers.withNormalizedHash { } (args: args.outputHashAlgo) { sha256 = "x"; } => "sha256"
  withNormalizedHash =
    {
      hashTypes ? [ "sha256" ],
    }:
    fetcher:
    let
      known = lib.functionArgs fetcher;
      hashes = lib.genAttrs ([ "hash" ] ++ hashTypes) (_: true);
    in
    lib.setFunctionArgs (args: fetcher (normalizeHash { inherit hashTypes; required = true; } args)) (
      builtins.removeAttrs known [ "outputHash" "outputHashAlgo" ] // hashes
    );
}
