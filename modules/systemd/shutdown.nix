# The end of a machine's run: what systemd runs from is left to it until the end, and unmounted by a program outside of
# it (initrd/src/shutdown.rs).
{ lib, config, ... }:

let
  state = config.environment.persistence.directory;
  # What stage 1 mounts is in use until the last process ends: no target may try to unmount it before, and no switch
  # touches it. A drop-in would not do: systemd reads none for a mount point that it first meets as a dependency.
  mounted = what: where: type: options: {
    inherit what where type options;
    description = "${where}, from stage 1";
    unitConfig = {
      DefaultDependencies = false;
      X-StopOnRemoval = false;
      X-RestartIfChanged = false;
    };
  };
  early = lib.filter (fs: fs.neededForBoot && fs.mountPoint != "/") (lib.attrValues config.fileSystems);
in
{
  systemd.mounts = map (fs: mounted fs.device fs.mountPoint fs.fsType (lib.concatStringsSep "," fs.options)) early
    ++ map (e: mounted "${state}${e.path}" e.path "none" "bind") config.environment.persistence.entries
    ++ [
      (mounted "/nix/store" "/nix/store" "none" "bind,ro")
      (mounted "/run/booted-system/kernel-modules/lib/modules" "/usr/lib/modules" "none" "bind")
    ];

  systemd.services.esker-shutdown = {
    description = "Prepare the last program of this run";
    wantedBy = [ "shutdown.target" ];
    before = [ "shutdown.target" "final.target" ];
    unitConfig.DefaultDependencies = false;
    restartIfChanged = false;
    serviceConfig = {
      Type = "oneshot";
      ExecStart = [
        "/usr/bin/mkdir -p /run/initramfs/oldroot /run/initramfs/proc /run/initramfs/sys /run/initramfs/dev /run/initramfs/run /run/initramfs/etc"
        "/usr/bin/cp /run/current-system/runtime/bin/init /run/initramfs/shutdown"
      ];
    };
  };
}
