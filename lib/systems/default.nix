# Platforms: what a system double such as `x86_64-linux` means.
#
# What it is not: a database of every CPU and kernel; Esker builds for x86_64 and aarch64 Linux and
# knows a few neighbours by name so that conditions about them can be evaluated.
{ lib }:
let
  # bits, byte order, family and the kernel's own name of the architecture
  cpus = {
    x86_64 = { bits = 64; family = "x86"; linuxArch = "x86_64"; debian = "amd64"; };
    i686 = { bits = 32; family = "x86"; linuxArch = "i386"; debian = "i386"; };
    aarch64 = { bits = 64; family = "arm"; linuxArch = "arm64"; debian = "arm64"; };
    armv7l = { bits = 32; family = "arm"; linuxArch = "arm"; debian = "armhf"; };
    armv6l = { bits = 32; family = "arm"; linuxArch = "arm"; debian = "armel"; };
    riscv64 = { bits = 64; family = "riscv"; linuxArch = "riscv"; debian = "riscv64"; };
    powerpc64le = { bits = 64; family = "power"; linuxArch = "powerpc"; debian = "ppc64el"; };
    s390x = { bits = 64; family = "s390"; linuxArch = "s390"; debian = "s390x"; byteOrder = "big"; };
    loongarch64 = { bits = 64; family = "loongarch"; linuxArch = "loongarch"; debian = "loong64"; };
  };

  linuxDoubles = map (cpu: "${cpu}-linux") (builtins.attrNames cpus);
  darwinDoubles = [ "aarch64-darwin" "x86_64-darwin" ];
  doublesWhere = pred: builtins.filter (d: pred (elaborate d)) (linuxDoubles ++ darwinDoubles);

  parse =
    system:
    let
      parts = lib.splitString "-" system;
      cpuName = builtins.head parts;
      kernelName = lib.last parts;
      cpu =
        cpus.${cpuName} or (throw "lib.systems: unknown CPU `${cpuName}` in the system `${system}`");
    in
    {
      cpu = {
        name = cpuName;
        inherit (cpu) bits family;
        significantByte.name = if (cpu.byteOrder or "little") == "big" then "bigEndian" else "littleEndian";
      };
      kernel.name = kernelName;
      vendor.name = if kernelName == "darwin" then "apple" else "unknown";
      abi.name = if kernelName == "linux" then "gnu" else "unknown";
    };

  # elaborate :: (String | AttrSet) -> Platform
  # A platform's facts from its double.
  #   (systems.elaborate "aarch64-linux").isAarch64 => true
  #   (systems.elaborate "x86_64-linux").linuxArch => "x86_64"
  elaborate =
    args:
    let
      given = if builtins.isString args then { system = args; } else args;
      system = given.system or (doubleOfConfig given.config);
      parsed = parse system;
      cpu = cpus.${parsed.cpu.name};
      isKernel = name: parsed.kernel.name == name;
      facts = {
        inherit system parsed;
        config = "${parsed.cpu.name}-${parsed.vendor.name}-${parsed.kernel.name}-${parsed.abi.name}";
        inherit (cpu) linuxArch;
        debianArch = cpu.debian;
        uname = {
          system = if isKernel "linux" then "Linux" else "Darwin";
          processor = parsed.cpu.name;
        };
        libc = if isKernel "linux" then "glibc" else "libSystem";
        efiArch =
          { x86_64 = "x64"; i686 = "ia32"; aarch64 = "aa64"; riscv64 = "riscv64"; }
          .${parsed.cpu.name} or parsed.cpu.name;
        qemuArch = if parsed.cpu.name == "i686" then "i386" else parsed.cpu.name;
        extensions = {
          sharedLibrary = if isKernel "darwin" then ".dylib" else ".so";
          staticLibrary = ".a";
          executable = "";
        };
        isUnix = true;
        isFreeBSD = false;
        isWindows = false;
        isGnu = isKernel "linux";
        isMusl = false;
        isStatic = false;
        canExecute = other: other.system == system || (parsed.cpu.name == "x86_64" && other.system == "i686-linux");
        emulatorAvailable = pkgs: true;
      };
    in
    builtins.mapAttrs (_: holds: holds parsed) inspect.predicates // facts // given;

  inspect = rec {
    patterns = {
      isLinux.kernel.name = "linux";
      isDarwin.kernel.name = "darwin";
      isMacOS.kernel.name = "darwin";
      isBSD.kernel.name = "darwin";
      isx86.cpu.family = "x86";
      isx86_64.cpu.name = "x86_64";
      isx86_32.cpu.name = "i686";
      isi686.cpu.name = "i686";
      isAarch.cpu.family = "arm";
      isAarch64.cpu.name = "aarch64";
      isAarch32.cpu = { family = "arm"; bits = 32; };
      isArmv7.cpu.name = "armv7l";
      isRiscV.cpu.family = "riscv";
      isRiscV64.cpu.name = "riscv64";
      isPower.cpu.family = "power";
      isS390.cpu.family = "s390";
      isLoongArch64.cpu.name = "loongarch64";
      is64bit.cpu.bits = 64;
      is32bit.cpu.bits = 32;
      isLittleEndian.cpu.significantByte.name = "littleEndian";
      isBigEndian.cpu.significantByte.name = "bigEndian";
      isEfi = map (name: { cpu.name = name; }) [ "x86_64" "i686" "aarch64" "riscv64" "loongarch64" ];
    };
    predicates = builtins.mapAttrs (
      _: pattern: parsed: lib.any (p: lib.matchAttrs p parsed) (lib.toList pattern)
    ) patterns;
  };

  # "x86_64-unknown-linux-gnu" to "x86_64-linux"
  doubleOfConfig =
    config:
    let
      parts = lib.splitString "-" config;
      kernel = if builtins.elem "linux" parts then "linux" else "darwin";
    in
    "${builtins.head parts}-${kernel}";
in
{
  inherit elaborate;

  # doubles :: { String = [String] }
  # System doubles by what they have in common; also `lib.platforms`.
  #   elem "x86_64-linux" platforms.linux => true
  #   elem "x86_64-darwin" platforms.linux => false
  doubles = {
    all = linuxDoubles ++ darwinDoubles;
    linux = linuxDoubles;
    darwin = darwinDoubles;
    unix = linuxDoubles ++ darwinDoubles;
    gnu = linuxDoubles;
    none = [ ];
    x86 = doublesWhere (p: p.isx86);
    x86_64 = doublesWhere (p: p.isx86_64);
    i686 = doublesWhere (p: p.isi686);
    arm = doublesWhere (p: p.isAarch32);
    aarch = doublesWhere (p: p.isAarch);
    aarch64 = doublesWhere (p: p.isAarch64);
    riscv = doublesWhere (p: p.isRiscV);
    riscv64 = doublesWhere (p: p.isRiscV64);
    power = doublesWhere (p: p.isPower);
    s390x = doublesWhere (p: p.isS390);
    littleEndian = doublesWhere (p: p.isLittleEndian);
    bigEndian = doublesWhere (p: p.isBigEndian);
    freebsd = [ ];
    netbsd = [ ];
    openbsd = [ ];
    windows = [ ];
    musl = [ ];
  };

  # flakeExposed :: [String]
  # The systems Esker builds for.
  #   systems.flakeExposed => [ "x86_64-linux" "aarch64-linux" ]
  flakeExposed = [ "x86_64-linux" "aarch64-linux" ];

  # equals :: Platform -> Platform -> Bool
  # Whether two platforms are the same; functions in them do not count.
  #   systems.equals (systems.elaborate "x86_64-linux") (systems.elaborate "x86_64-linux") => true
  equals =
    let
      data = lib.filterAttrsRecursive (_: v: !lib.isFunction v);
    in
    a: b: data a == data b;

  # parse.mkSystemFromString :: String -> AttrSet
  # A double taken apart.
  #   (systems.parse.mkSystemFromString "x86_64-linux").cpu.bits => 64
  parse.mkSystemFromString = parse;

  # examples :: { String = AttrSet }
  # Configurations for cross builds.
  #   systems.examples.aarch64-multiplatform.config => "aarch64-unknown-linux-gnu"
  examples = {
    aarch64-multiplatform.config = "aarch64-unknown-linux-gnu";
    gnu64.config = "x86_64-unknown-linux-gnu";
    riscv64.config = "riscv64-unknown-linux-gnu";
  };

  # supported :: { doubles = [String]; }
  # The doubles that `elaborate` knows.
  #   elem "riscv64-linux" systems.supported.doubles => true
  supported.doubles = linuxDoubles ++ darwinDoubles;

  # systemToAttrs :: (String | AttrSet) -> AttrSet
  # A system as `elaborate` takes it.
  #   systems.systemToAttrs "x86_64-linux" => { system = "x86_64-linux"; }
  systemToAttrs = system: if builtins.isString system then { inherit system; } else system;

  # toLosslessStringMaybe :: (String | Platform) -> (String | null)
  # The double that says all there is to say of a platform; null where it says too little.
  #   systems.toLosslessStringMaybe (systems.elaborate "x86_64-linux") => "x86_64-linux"
  #   systems.toLosslessStringMaybe (systems.elaborate { system = "x86_64-linux"; isStatic = true; }) => null
  toLosslessStringMaybe =
    system:
    let
      data = lib.filterAttrsRecursive (_: v: !lib.isFunction v);
    in
    if builtins.isString system then
      system
    else if data (elaborate system.system) == data system then
      system.system
    else
      null;

  # architectures :: AttrSet
  # What processors of x86 have beyond the first, by the name that gcc gives them.
  #   systems.architectures.canExecute "x86-64-v3" "x86-64-v2" => true
  architectures = import ./architectures.nix { inherit lib; };

  # inspect.patterns :: { String = (AttrSet | [AttrSet]) }
  # What of a parsed system must be equal for a predicate to hold; of a list one suffices.
  #   systems.inspect.patterns.isLinux => { kernel.name = "linux"; }
  #   matchAttrs systems.inspect.patterns.is64bit (systems.parse.mkSystemFromString "x86_64-linux") => true
  # inspect.predicates :: { String = Platform -> Bool }
  # Predicates over parsed systems, one for each pattern.
  #   systems.inspect.predicates.isLinux (systems.parse.mkSystemFromString "x86_64-linux") => true
  #   systems.inspect.predicates.isAarch32 (systems.parse.mkSystemFromString "armv6l-linux") => true
  inherit inspect;
}
