# The example of a live system, for its story: with the agent, and a menu that waits. It says nothing on the serial line: that is
# what one of the menu's entries is for.
{
  imports = [ ../../examples/live/configuration.nix ];

  # Several machines are emulated at once: the kernel must not take a late tick for a missing timer.
  boot.kernelParams = [ "systemd.show_status=true" "no_timer_check" ];
  boot.loader.timeout = 5;
  services.esker-agent.enable = true;
}
