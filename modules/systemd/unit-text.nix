# Units as text: from the options of unit-options.nix to unit files.
{ lib, pkgs }:

let
  showValue = v:
    if v == true then "true"
    else if v == false then "false"
    else toString v;

  # { Key = value | [ values ]; } → lines; null leaves a key out, a list repeats it.
  lines = attrs:
    lib.concatStrings (
      lib.mapAttrsToList (
        key: value:
        if value == null then ""
        else if lib.isList value then lib.concatMapStrings (v: "${key}=${showValue v}\n") value
        else "${key}=${showValue value}\n"
      ) attrs
    );

  section = name: attrs: lib.optionalString (attrs != { }) "\n[${name}]\n${lines attrs}";

  joined = key: values: lib.optionalAttrs (values != [ ]) { ${key} = lib.concatStringsSep " " values; };

  hashOf = values: builtins.hashString "sha256" (builtins.unsafeDiscardStringContext (lib.concatMapStringsSep "\n" toString values));

  unitSection = u:
    lib.optionalAttrs (u.description != "") { Description = u.description; }
    // joined "Requires" u.requires
    // joined "Wants" u.wants
    // joined "Upholds" u.upholds
    // joined "After" u.after
    // joined "Before" u.before
    // joined "BindsTo" u.bindsTo
    // joined "PartOf" u.partOf
    // joined "Conflicts" u.conflicts
    // joined "Requisite" u.requisite
    // joined "OnFailure" u.onFailure
    // joined "OnSuccess" u.onSuccess
    // joined "Documentation" u.documentation
    // lib.optionalAttrs (u.restartTriggers != [ ]) { X-Restart-Triggers = hashOf u.restartTriggers; }
    // lib.optionalAttrs (u.reloadTriggers != [ ]) { X-Reload-Triggers = hashOf u.reloadTriggers; }
    // lib.optionalAttrs (u.startLimitBurst != null) { StartLimitBurst = u.startLimitBurst; }
    // lib.optionalAttrs (u.startLimitIntervalSec != null) { StartLimitIntervalSec = u.startLimitIntervalSec; }
    // u.unitConfig;

  # A unit's shell script as a program of its own.
  scriptFile = unit: part: text: "${pkgs.writeTextFile {
    name = "unit-script-${unit}-${part}";
    executable = true;
    text = "#!/bin/bash\nset -e\n${text}\n";
  }}";

  exec = name: part: text: args: lib.optionalAttrs (text != "") {
    ${args.key} = [ "${scriptFile name part text}${lib.optionalString (args.suffix or "" != "") " ${args.suffix}"}" ];
  };

  environmentLine = name: value: lib.optionalString (value != null) "Environment=${builtins.toJSON "${name}=${toString value}"}\n";

  programPath = packages: lib.concatStringsSep ":" (
    map (p: if lib.isString p then "${p}/bin" else "${p}/bin") packages ++ [ "/usr/sbin" "/usr/bin" ]
  );

  serviceSection = name: u:
    let
      environment = u.environment // lib.optionalAttrs (u.path != [ ]) { PATH = programPath u.path; };
      flags = lib.optionalAttrs (!u.restartIfChanged) { X-RestartIfChanged = false; }
        // lib.optionalAttrs u.reloadIfChanged { X-ReloadIfChanged = true; }
        // lib.optionalAttrs (!u.stopIfChanged) { X-StopIfChanged = false; }
        // lib.optionalAttrs u.notSocketActivated { X-NotSocketActivated = true; };
      scripts = exec name "start" u.script { key = "ExecStart"; suffix = u.scriptArgs; }
        // exec name "pre-start" u.preStart { key = "ExecStartPre"; }
        // exec name "post-start" u.postStart { key = "ExecStartPost"; }
        // exec name "reload" u.reload { key = "ExecReload"; }
        // exec name "pre-stop" u.preStop { key = "ExecStop"; }
        // exec name "post-stop" u.postStop { key = "ExecStopPost"; };
      # Where both a script and serviceConfig give a command, the script's comes first.
      merged = lib.zipAttrsWith (_: vs: if lib.length vs == 1 then lib.head vs else lib.concatMap lib.toList vs) [
        scripts
        u.serviceConfig
      ];
      body = lib.concatStrings (lib.mapAttrsToList environmentLine environment) + lines (flags // merged);
    in
    lib.optionalString (body != "") "\n[Service]\n${body}";

  text = u: body: "[Unit]\n${lines (unitSection u)}${body}";

  # kind → name → unit → the text of its sections
  bodies = {
    service = name: u: serviceSection name u;
    socket = _: u: section "Socket" (
      lib.optionalAttrs (u.listenStreams != [ ]) { ListenStream = u.listenStreams; }
      // lib.optionalAttrs (u.listenDatagrams != [ ]) { ListenDatagram = u.listenDatagrams; }
      // u.socketConfig
    );
    timer = _: u: section "Timer" u.timerConfig;
    path = _: u: section "Path" u.pathConfig;
    slice = _: u: section "Slice" u.sliceConfig;
    target = _: _: "";
    mount = _: u: section "Mount" (
      { What = u.what; Where = u.where; }
      // lib.optionalAttrs (u.type != "") { Type = u.type; }
      // lib.optionalAttrs (u.options != "") { Options = u.options; }
      // u.mountConfig
    );
    automount = _: u: section "Automount" ({ Where = u.where; } // u.automountConfig);
  };

  # The links that enable a unit, and the unit itself, below FOLDER of /etc.
  unitEntries = folder: kind: name: u: fileEntries folder "${name}.${kind}" u (text u (bodies.${kind} name u));

  fileEntries = folder: file: u: body:
    let
      links = suffix: targets: lib.genAttrs (map (t: "${folder}/${t}.${suffix}/${file}") targets) (_: { link = "../${file}"; });
      dropin = u.overrideStrategy == "asDropin";
      # A service with a command of its own is whole; one without says what differs from a package's.
      whole = lib.toList (u.serviceConfig.ExecStart or [ ]) != [ ] && lib.head (lib.toList u.serviceConfig.ExecStart) != ""
        || u.script or "" != "";
    in
    if !u.enable then
      { "${folder}/${file}" = { link = "/dev/null"; }; }
    else
      # The names must not depend on the text, which may mention other files of /etc.
      lib.optionalAttrs (u.text or "" != null) {
        "${folder}/${if dropin then "${file}.d/overrides.conf" else file}" = { text = body; }
          // lib.optionalAttrs (!dropin && !whole) { dropinIfPackaged = true; };
      }
      // links "wants" u.wantedBy
      // links "requires" u.requiredBy
      // links "upholds" u.upheldBy
      // lib.genAttrs (map (a: "${folder}/${a}") u.aliases) (_: { link = file; });
in
{
  # FOLDER, { "NAME.service" = { text = …; }; } → environment.etc
  rawEntriesOf = folder: units: lib.mergeAttrsList (lib.mapAttrsToList (file: u: fileEntries folder file u u.text) units);

  # FOLDER ("systemd/system"), { service = { … }; socket = { … }; … } → environment.etc
  entriesOf = folder: kinds:
    lib.mergeAttrsList (
      lib.concatLists (lib.mapAttrsToList (kind: units: lib.mapAttrsToList (unitEntries folder kind) units) kinds)
    );
  inherit lines section;
}
