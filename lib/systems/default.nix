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
      isFamily = name: cpu.family == name;
      self = {
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
        isLinux = isKernel "linux";
        isDarwin = isKernel "darwin";
        isMacOS = isKernel "darwin";
        isUnix = true;
        isBSD = isKernel "darwin";
        isFreeBSD = false;
        isWindows = false;
        isGnu = isKernel "linux";
        isMusl = false;
        isStatic = false;
        isx86 = isFamily "x86";
        isx86_64 = parsed.cpu.name == "x86_64";
        isx86_32 = parsed.cpu.name == "i686";
        isi686 = parsed.cpu.name == "i686";
        isAarch = isFamily "arm";
        isAarch64 = parsed.cpu.name == "aarch64";
        isAarch32 = isFamily "arm" && cpu.bits == 32;
        isArmv7 = parsed.cpu.name == "armv7l";
        isRiscV = isFamily "riscv";
        isRiscV64 = parsed.cpu.name == "riscv64";
        isPower = isFamily "power";
        isS390 = isFamily "s390";
        isLoongArch64 = isFamily "loongarch";
        is64bit = cpu.bits == 64;
        is32bit = cpu.bits == 32;
        isLittleEndian = parsed.cpu.significantByte.name == "littleEndian";
        isBigEndian = !self.isLittleEndian;
        isEfi = builtins.elem parsed.cpu.name [ "x86_64" "i686" "aarch64" "riscv64" "loongarch64" ];
        canExecute = other: other.system == system || (self.isx86_64 && other.system == "i686-linux");
        emulatorAvailable = pkgs: true;
      };
    in
    self // given;

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

  # inspect.predicates :: { String = Platform -> Bool }
  # Predicates over parsed systems.
  #   systems.inspect.predicates.isLinux (systems.parse.mkSystemFromString "x86_64-linux") => true
  inspect.predicates = {
    isLinux = p: p.kernel.name == "linux";
    isDarwin = p: p.kernel.name == "darwin";
    isx86_64 = p: p.cpu.name == "x86_64";
    isAarch64 = p: p.cpu.name == "aarch64";
    is64bit = p: p.cpu.bits == 64;
  };
}
