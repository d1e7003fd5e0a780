# The example of a live system, for its story: with the agent, and what it says on the serial console.
{
  imports = [ ../../examples/live/configuration.nix ];

  # Several machines are emulated at once: the kernel must not take a late tick for a missing timer.
  boot.kernelParams = [ "console=ttyS0" "systemd.show_status=true" "no_timer_check" ];
  boot.loader.timeout = 5;
  services.esker-agent.enable = true;
}
