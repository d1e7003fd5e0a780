# `boot.growPartition`: an image on a larger disk, or a disk that was enlarged. The partition of the store takes what is free
# behind it, its filesystem follows (`fileSystems.<name>.autoResize`).
{ lib, config, pkgs, ... }:

let
  where = config.system.build.storeMountPoint;
  growfs = if where == "/" then "systemd-growfs-root.service" else "systemd-growfs@${lib.strings.escapeSystemdPath where}.service";
in
{
  options.boot.growPartition = lib.mkOption {
    type = lib.types.bool;
    default = false;
    description = "Whether the store's partition grows at boot to the end of its disk, if it is the last one there, and its filesystem with it.";
  };

  config = lib.mkIf config.boot.growPartition {
    fileSystems.${where}.autoResize = lib.mkDefault true;

    systemd.services.grow-partition = {
      description = "Grow the partition of ${where} to the end of its disk";
      wantedBy = [ "local-fs.target" ];
      before = [ growfs "local-fs.target" "shutdown.target" ];
      conflicts = [ "shutdown.target" ];
      restartIfChanged = false;
      unitConfig.DefaultDependencies = false;
      serviceConfig = { Type = "oneshot"; RemainAfterExit = true; };
      path = [ pkgs.fdisk ];
      # The kernel counts sectors of 512 bytes here. Nothing is written unless there is a MiB to gain before the 33 sectors of
      # the table's copy. The kernel is told of this partition alone, because the others are in use.
      script = ''
        source=$(findmnt --noheadings --nofsroot --output SOURCE --mountpoint ${where})
        partition=/sys/class/block/''${source##*/}
        [ -e "$partition/partition" ] || exit 0
        disk=$(readlink -f "$partition/..")
        start=$(cat "$partition/start")
        end=$((start + $(cat "$partition/size")))
        [ $(($(cat "$disk/size") - end - 33)) -ge 2048 ] || exit 0
        for other in "$disk"/*/start; do
          [ "$(cat "$other")" -le "$start" ] || exit 0
        done
        number=$(cat "$partition/partition")
        echo ", +" | sfdisk --quiet --force --no-reread --no-tell-kernel -N "$number" "/dev/''${disk##*/}"
        partx --update --nr "$number" "/dev/''${disk##*/}"
      '';
    };
  };
}
