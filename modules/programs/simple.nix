# Programs whose module is little more than their package and a file.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types mkIf mkMerge;
  cfg = config.programs;
  enable = what: mkOption { type = types.bool; default = false; description = "Whether ${what} is installed."; };
  text = description: mkOption { type = types.lines; default = ""; inherit description; };
  gitIni = pkgs.formats.ini { };
in
{
  options.programs = {
    vim = {
      enable = enable "vim";
      defaultEditor = mkOption { type = types.bool; default = false; description = "Whether vim is the editor that programs start."; };
      extraConfig = text "Lines of /etc/vim/vimrc.local.";
    };
    neovim = {
      enable = enable "neovim";
      defaultEditor = mkOption { type = types.bool; default = false; description = "Whether neovim is the editor that programs start."; };
    };
    nano.enable = enable "nano";
    git = {
      enable = enable "git";
      config = mkOption { type = gitIni.type; default = { }; example = { init.defaultBranch = "main"; }; description = "Settings for all users, in /etc/gitconfig."; };
    };
    tmux = { enable = enable "tmux"; extraConfig = text "Lines of /etc/tmux.conf."; };
    htop.enable = enable "htop";
    zsh.enable = enable "zsh";
    fish.enable = enable "fish";
    less.enable = enable "less";
    mtr.enable = enable "mtr";
    screen.enable = enable "screen";
    iotop.enable = enable "iotop";
    tcpdump.enable = enable "tcpdump";
    traceroute.enable = enable "traceroute";
    command-not-found.enable = mkOption { type = types.bool; default = false; description = "Accepted for configurations that come from NixOS."; };
  };

  config = mkMerge (
    map (name: mkIf cfg.${name}.enable { environment.systemPackages = [ pkgs.${name} ]; }) [
      "nano" "git" "tmux" "htop" "zsh" "fish" "less" "screen" "tcpdump" "traceroute" "vim" "neovim"
    ]
    ++ [
      (mkIf cfg.mtr.enable { environment.systemPackages = [ pkgs.mtr-tiny ]; })
      (mkIf cfg.iotop.enable { environment.systemPackages = [ pkgs.iotop-c ]; })
      (mkIf cfg.vim.enable { environment.etc."vim/vimrc.local" = mkIf (cfg.vim.extraConfig != "") { text = cfg.vim.extraConfig; }; })
      (mkIf cfg.vim.defaultEditor { environment.variables.EDITOR = lib.mkOverride 900 "vim"; })
      (mkIf cfg.neovim.defaultEditor { environment.variables.EDITOR = lib.mkOverride 900 "nvim"; })
      (mkIf (cfg.git.enable && cfg.git.config != { }) { environment.etc.gitconfig.text = lib.generators.toGitINI cfg.git.config; })
      (mkIf (cfg.tmux.enable && cfg.tmux.extraConfig != "") { environment.etc."tmux.conf".text = cfg.tmux.extraConfig; })
      (mkIf cfg.zsh.enable { environment.shells = [ "/usr/bin/zsh" "/bin/zsh" ]; })
      (mkIf cfg.fish.enable { environment.shells = [ "/usr/bin/fish" ]; })
    ]
  );
}
