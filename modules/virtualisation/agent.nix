# `services.esker-agent`: the guest agent, through which whoever runs the virtual machine runs commands in it as root.
# For machines under test.
{ lib, config, ... }:

{
  options.services.esker-agent.enable = lib.mkOption {
    type = lib.types.bool;
    default = false;
    description = "Whether whoever runs this virtual machine may run commands in it.";
  };

  config = lib.mkIf config.services.esker-agent.enable {
    # systemd makes a device unit only of what udev tags.
    environment.etc."udev/rules.d/90-esker-agent.rules".text = ''
      SUBSYSTEM=="virtio-ports", ATTR{name}=="org.esker.agent.0", TAG+="systemd"
    '';
    boot.kernelModules = [ "virtio_console" ];
    systemd.services.esker-agent = {
      description = "Guest agent";
      # A switch run through the agent must not end the agent.
      restartIfChanged = false;
      stopIfChanged = false;
      unitConfig.X-StopOnRemoval = false;
      # udev makes the port's link; the unit starts when the device is there and is skipped where there is none.
      wantedBy = [ "dev-virtio\\x2dports-org.esker.agent.0.device" ];
      after = [ "dev-virtio\\x2dports-org.esker.agent.0.device" ];
      environment.PATH = "/run/wrappers/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/run/current-system/runtime/bin";
      environment.HOME = "/root";
      serviceConfig = {
        ExecStart = "/run/current-system/runtime/bin/agent";
        Restart = "on-failure";
      };
    };
  };
}
