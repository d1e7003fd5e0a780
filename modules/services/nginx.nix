# `services.nginx`: Debian's nginx with NixOS's options.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types mkIf;
  cfg = config.services.nginx;

  text = description: mkOption { type = types.lines; default = ""; inherit description; };
  flag = default: description: mkOption { type = types.bool; inherit default description; };
  maybe = type: description: mkOption { type = types.nullOr type; default = null; inherit description; };

  location = {
    options = {
      root = maybe types.path "The folder that is served.";
      alias = maybe types.path "The folder that takes the location's place.";
      index = maybe types.str "Files that stand for a folder.";
      tryFiles = maybe types.str "Files to try, in order.";
      proxyPass = maybe types.str "The server that answers.";
      proxyWebsockets = flag false "Whether websockets pass through.";
      recommendedProxySettings = flag cfg.recommendedProxySettings "Whether the proxied server is told who asks.";
      return = maybe (types.oneOf [ types.str types.int ]) "A fixed answer.";
      extraConfig = text "More lines.";
      priority = mkOption { type = types.int; default = 1000; description = "Locations of a lower number come first."; };
    };
  };

  listenType = types.submodule {
    options = {
      addr = mkOption { type = types.str; description = "The address."; };
      port = mkOption { type = types.nullOr types.port; default = null; description = "The port."; };
      ssl = flag false "Whether TLS is spoken.";
      extraParameters = mkOption { type = types.listOf types.str; default = [ ]; description = "More parameters."; };
    };
  };

  virtualHost = { name, ... }: {
    options = {
      serverName = mkOption { type = types.nullOr types.str; default = name; description = "The host's name."; };
      serverAliases = mkOption { type = types.listOf types.str; default = [ ]; description = "Other names."; };
      listen = mkOption { type = types.listOf listenType; default = [ ]; description = "Where it listens; port 80, and 443 with TLS, where nothing is given."; };
      default = flag false "Whether it answers for names that no other host has.";
      root = maybe types.path "The folder that is served.";
      addSSL = flag false "Whether it speaks TLS too.";
      onlySSL = flag false "Whether it speaks only TLS.";
      forceSSL = flag false "Whether plain requests are sent to TLS.";
      sslCertificate = maybe types.str "The certificate's file.";
      sslCertificateKey = maybe types.str "The key's file.";
      basicAuthFile = maybe types.path "A file of passwords.";
      globalRedirect = maybe types.str "A host to which all requests are sent.";
      locations = mkOption { type = types.attrsOf (types.submodule location); default = { }; description = "Locations."; };
      extraConfig = text "More lines.";
    };
  };

  # A path of the configuration's own goes into the store: the machine has no such file elsewhere.
  line = name: value: lib.optionalString (value != null) "${name} ${if lib.isPath value then "${value}" else toString value};\n";

  proxyHeaders = ''
    proxy_set_header Host $host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
  '';

  locationText = path: l: ''
    location ${path} {
      ${line "root" l.root}${line "alias" l.alias}${line "index" l.index}${line "try_files" l.tryFiles}${line "proxy_pass" l.proxyPass}
      ${lib.optionalString (l.proxyPass != null && l.recommendedProxySettings) proxyHeaders}
      ${lib.optionalString l.proxyWebsockets "proxy_http_version 1.1;\nproxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection \"upgrade\";\n"}
      ${line "return" l.return}${l.extraConfig}
    }
  '';

  locationsText = locations: lib.concatStrings (
    map (e: locationText e.name e.value) (
      lib.sort (a: b: a.value.priority < b.value.priority) (lib.mapAttrsToList lib.nameValuePair locations)
    )
  );

  hasTLS = h: h.addSSL || h.onlySSL || h.forceSSL;
  listens = h:
    if h.listen != [ ] then h.listen
    else lib.concatMap (addr:
      lib.optional (!h.onlySSL) { inherit addr; port = 80; ssl = false; extraParameters = [ ]; }
      ++ lib.optional (hasTLS h) { inherit addr; port = 443; ssl = true; extraParameters = [ ]; }
    ) ([ "0.0.0.0" ] ++ lib.optional config.networking.enableIPv6 "[::]");

  listenLine = h: l: "listen ${l.addr}${lib.optionalString (l.port != null) ":${toString l.port}"}"
    + lib.optionalString l.ssl " ssl" + lib.optionalString h.default " default_server"
    + lib.concatMapStrings (p: " ${p}") l.extraParameters + ";\n";

  serverText = h:
    let
      plain = lib.filter (l: !l.ssl) (listens h);
      tls = lib.filter (l: l.ssl) (listens h);
      names = "server_name ${lib.concatStringsSep " " (lib.optional (h.serverName != null) h.serverName ++ h.serverAliases)};\n";
    in
    lib.optionalString h.forceSSL ''
      server {
        ${lib.concatMapStrings (listenLine h) plain}${names}
        location / { return 301 https://$host$request_uri; }
      }
    '' + ''
      server {
        ${lib.concatMapStrings (listenLine h) (if h.forceSSL then tls else plain ++ tls)}${names}
        ${line "root" h.root}${lib.optionalString (hasTLS h) (line "ssl_certificate" h.sslCertificate + line "ssl_certificate_key" h.sslCertificateKey)}
        ${lib.optionalString (h.globalRedirect != null) "location / { return 301 $scheme://${h.globalRedirect}$request_uri; }"}
        ${lib.optionalString (h.basicAuthFile != null) "auth_basic secured;\nauth_basic_user_file ${if lib.isPath h.basicAuthFile then "${h.basicAuthFile}" else toString h.basicAuthFile};"}
        ${locationsText h.locations}
        ${h.extraConfig}
      }
    '';

  configText = ''
    # Made from services.nginx.
    user ${cfg.user};
    pid /run/nginx.pid;
    worker_processes auto;
    error_log ${cfg.logError};
    include /etc/nginx/modules-enabled/*.conf;
    ${cfg.appendConfig}
    events {
      ${cfg.eventsConfig}
    }
    http {
      include /etc/nginx/mime.types;
      default_type application/octet-stream;
      access_log /var/log/nginx/access.log;
      server_tokens ${if cfg.serverTokens then "on" else "off"};
      client_max_body_size ${cfg.clientMaxBodySize};
      ${lib.optionalString cfg.recommendedOptimisation "sendfile on;\ntcp_nopush on;\ntcp_nodelay on;\nkeepalive_timeout 65;\n"}
      ${lib.optionalString cfg.recommendedTlsSettings "ssl_protocols TLSv1.2 TLSv1.3;\nssl_prefer_server_ciphers off;\nssl_session_cache shared:SSL:10m;\nssl_session_tickets off;\n"}
      ${lib.optionalString cfg.recommendedGzipSettings "gzip on;\ngzip_vary on;\ngzip_proxied any;\ngzip_types text/plain text/css application/json application/javascript text/xml application/xml image/svg+xml;\n"}
      ${cfg.commonHttpConfig}
      ${lib.concatStrings (lib.mapAttrsToList (_: serverText) cfg.virtualHosts)}
      ${cfg.appendHttpConfig}
    }
  '';
in
{
  options.services.nginx = {
    enable = flag false "Whether nginx runs.";
    package = mkOption { type = types.package; default = pkgs.nginx; defaultText = lib.literalExpression "pkgs.nginx"; description = "The package."; };
    user = mkOption { type = types.str; default = "www-data"; description = "The user as whom it serves."; };
    logError = mkOption { type = types.str; default = "stderr"; description = "Where errors are logged."; };
    serverTokens = flag false "Whether it tells its version.";
    clientMaxBodySize = mkOption { type = types.str; default = "10m"; description = "The largest request."; };
    recommendedOptimisation = flag false "Whether the usual optimisations are on.";
    recommendedTlsSettings = flag false "Whether the usual settings of TLS are on.";
    recommendedGzipSettings = flag false "Whether answers are compressed.";
    recommendedProxySettings = flag false "Whether proxied servers are told who asks.";
    eventsConfig = text "Lines of the events block.";
    commonHttpConfig = text "Lines at the start of the http block.";
    appendHttpConfig = text "Lines at the end of the http block.";
    appendConfig = text "Lines at the top.";
    virtualHosts = mkOption { type = types.attrsOf (types.submodule virtualHost); default = { }; description = "Hosts."; };
  };

  config = mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];
    environment.etc."nginx/nginx.conf".text = configText;
    systemd.enabledPackageUnits = [ "nginx.service" ];
    systemd.services.nginx = {
      overrideStrategy = "asDropin";
      reloadIfChanged = true;
      restartTriggers = [ configText ];
    };
    systemd.tmpfiles.rules = [ "d /var/log/nginx 0755 root adm" ];
    assertions = lib.mapAttrsToList (name: h: {
      assertion = !(hasTLS h) || (h.sslCertificate != null && h.sslCertificateKey != null);
      message = "services.nginx.virtualHosts.\"${name}\" speaks TLS and needs sslCertificate and sslCertificateKey";
    }) cfg.virtualHosts;
  };
}
