# Programs whose module is little more than their package and a file.
{ lib, config, pkgs, ... }:

let
  inherit (lib) mkOption types mkIf mkMerge;
  cfg = config.programs;
  flag = description: mkOption { type = types.bool; default = false; inherit description; };
  text = description: mkOption { type = types.lines; default = ""; inherit description; };
  defaultEditor = name: flag "Whether ${name} is the editor that programs start.";

  # Option → Debian's package: each has `enable` and `package`.
  packages = {
    vim = "vim"; neovim = "neovim"; nano = "nano"; git = "git"; tmux = "tmux"; htop = "htop"; zsh = "zsh"; fish = "fish";
    less = "less"; mtr = "mtr-tiny"; screen = "screen"; iotop = "iotop-c"; iftop = "iftop"; tcpdump = "tcpdump";
    traceroute = "traceroute"; mosh = "mosh"; direnv = "direnv"; starship = "starship";
    wireshark = "tshark"; ccache = "ccache"; mdevctl = "mdevctl"; fzf = "fzf";
  };
  installable = lib.mapAttrs (name: package: {
    enable = flag "Whether ${name} is installed.";
    package = mkOption {
      type = types.package;
      default = pkgs.${package};
      defaultText = lib.literalExpression "pkgs.${package}";
      description = "The package.";
    };
  }) packages;
  accepted = flag "Accepted for configurations that come from NixOS.";

  gitSections = types.attrsOf (types.attrsOf types.anything);
  gitTexts = map lib.generators.toGitINI (lib.toList cfg.git.config);
  nonEmpty = value: text: mkIf (value != "") { inherit text; };
in
{
  options.programs = lib.recursiveUpdate installable {
    vim = {
      defaultEditor = defaultEditor "vim";
      extraConfig = text "Lines of /etc/vim/vimrc.local.";
    };
    neovim = {
      defaultEditor = defaultEditor "neovim";
      viAlias = flag "Whether `vi` is neovim.";
      vimAlias = flag "Whether `vim` is neovim.";
      configure = mkOption { type = types.attrs; default = { }; internal = true; description = "Accepted when empty: plug-ins come from packages."; };
    };
    nano = {
      nanorc = text "Lines of /etc/nanorc.";
      syntaxHighlight = mkOption { type = types.bool; default = true; description = "Whether nano colours what it knows."; };
    };
    git = {
      config = mkOption {
        type = types.either gitSections (types.listOf gitSections);
        default = { };
        example = { init.defaultBranch = "main"; };
        description = "Settings for all users, in /etc/gitconfig; a list keeps the order of its parts.";
      };
      lfs.enable = flag "Whether git keeps large files elsewhere (git-lfs).";
      prompt.enable = flag "Whether bash's prompt may show git's state: __git_ps1 is defined.";
    };
    tmux = {
      extraConfig = text "Lines of /etc/tmux.conf.";
      baseIndex = mkOption { type = types.int; default = 0; description = "The number of the first window."; };
      clock24 = flag "Whether the clock has 24 hours.";
      escapeTime = mkOption { type = types.int; default = 500; description = "How long tmux waits after an escape, in milliseconds."; };
      historyLimit = mkOption { type = types.ints.positive; default = 2000; description = "Lines that are kept."; };
      keyMode = mkOption { type = types.enum [ "emacs" "vi" ]; default = "emacs"; description = "Which keys move."; };
      newSession = flag "Whether attaching makes a session where there is none.";
      shortcut = mkOption { type = types.str; default = "b"; example = "a"; description = "The prefix: this key with Ctrl."; };
      terminal = mkOption { type = types.str; default = "screen"; example = "screen-256color"; description = "What programs in it take the terminal for."; };
    };
    zsh = {
      interactiveShellInit = text "Code of interactive shells, in /etc/zsh/zshrc.";
      loginShellInit = text "Code of login shells, in /etc/zsh/zprofile.";
      shellInit = text "Code of every zsh, in /etc/zsh/zshenv.";
      promptInit = mkOption { type = types.lines; default = "autoload -U promptinit && promptinit && prompt suse && setopt prompt_sp"; description = "Code that sets the prompt."; };
      shellAliases = mkOption { type = types.attrsOf (types.nullOr types.str); default = { }; description = "Aliases of zsh."; };
      enableCompletion = mkOption { type = types.bool; default = true; description = "Whether zsh completes commands."; };
      autosuggestions.enable = flag "Whether zsh suggests from its history.";
      syntaxHighlighting.enable = flag "Whether zsh colours what is typed.";
      histSize = mkOption { type = types.int; default = 2000; description = "Lines of history."; };
    };
    fish = {
      interactiveShellInit = text "Code of interactive shells.";
      shellInit = text "Code of every fish.";
    };
    screen.screenrc = text "Lines of /etc/screenrc.";
    # What NixOS needs for programs that were not built for it works here by itself.
    nix-ld.enable = accepted;
    command-not-found.enable = accepted;
  };

  config = mkMerge (
    lib.mapAttrsToList (name: _: mkIf cfg.${name}.enable { environment.systemPackages = [ cfg.${name}.package ]; }) installable
    ++ [
      (mkIf cfg.vim.enable { environment.etc."vim/vimrc.local" = nonEmpty cfg.vim.extraConfig cfg.vim.extraConfig; })
      (mkIf cfg.vim.defaultEditor {
        programs.vim.enable = lib.mkDefault true;
        environment.variables.EDITOR = lib.mkOverride 900 "vim";
      })
      (mkIf cfg.neovim.defaultEditor {
        programs.neovim.enable = lib.mkDefault true;
        environment.variables.EDITOR = lib.mkOverride 900 "nvim";
      })
      (mkIf cfg.neovim.enable {
        environment.shellAliases = lib.optionalAttrs cfg.neovim.viAlias { vi = "nvim"; } // lib.optionalAttrs cfg.neovim.vimAlias { vim = "nvim"; };
      })
      (mkIf (cfg.nano.enable || cfg.nano.nanorc != "") {
        environment.systemPackages = [ cfg.nano.package ];
        environment.etc.nanorc = nonEmpty cfg.nano.nanorc (
          lib.optionalString cfg.nano.syntaxHighlight "include \"/usr/share/nano/*.nanorc\"\n" + cfg.nano.nanorc
        );
      })
      (mkIf cfg.git.lfs.enable {
        environment.systemPackages = [ pkgs.git-lfs ];
        programs.git.config.filter.lfs = {
          clean = "git-lfs clean -- %f";
          smudge = "git-lfs smudge -- %f";
          process = "git-lfs filter-process";
          required = true;
        };
      })
      (mkIf cfg.git.prompt.enable { environment.interactiveShellInit = "[ -r /usr/lib/git-core/git-sh-prompt ] && . /usr/lib/git-core/git-sh-prompt"; })
      (mkIf (cfg.git.enable && cfg.git.config != { } && cfg.git.config != [ ]) { environment.etc.gitconfig.text = lib.concatStringsSep "\n" gitTexts; })
      (mkIf cfg.tmux.enable {
        environment.etc."tmux.conf".text = ''
          set -g default-terminal "${cfg.tmux.terminal}"
          set -g base-index ${toString cfg.tmux.baseIndex}
          setw -g pane-base-index ${toString cfg.tmux.baseIndex}
          set -g history-limit ${toString cfg.tmux.historyLimit}
          ${lib.optionalString cfg.tmux.newSession "new-session"}
          set -g status-keys ${cfg.tmux.keyMode}
          set -g mode-keys ${cfg.tmux.keyMode}
          ${lib.optionalString (cfg.tmux.shortcut != "b") ''
            unbind C-b
            set -g prefix C-${cfg.tmux.shortcut}
            bind ${cfg.tmux.shortcut} send-prefix
            bind C-${cfg.tmux.shortcut} last-window
          ''}
          setw -g clock-mode-style ${if cfg.tmux.clock24 then "24" else "12"}
          set -s escape-time ${toString cfg.tmux.escapeTime}
          ${cfg.tmux.extraConfig}
        '';
      })
      (mkIf (cfg.screen.enable && cfg.screen.screenrc != "") { environment.etc.screenrc.text = cfg.screen.screenrc; })
      (mkIf cfg.zsh.enable {
        environment.shells = [ "/usr/bin/zsh" "/bin/zsh" ];
        environment.systemPackages = lib.optional cfg.zsh.autosuggestions.enable pkgs.zsh-autosuggestions
          ++ lib.optional cfg.zsh.syntaxHighlighting.enable pkgs.zsh-syntax-highlighting;
        environment.etc = {
          "zsh/zshenv".text = ''
            # Made from programs.zsh.
            ${lib.concatStrings (lib.mapAttrsToList (n: v: "export ${n}=${lib.escapeShellArg v}\n") (lib.filterAttrs (_: v: v != null) config.environment.variables))}
            ${config.environment.shellInit}
            ${cfg.zsh.shellInit}
          '';
          "zsh/zprofile".text = ''
            ${config.environment.loginShellInit}
            ${cfg.zsh.loginShellInit}
            ${config.environment.extraInit}
          '';
          "zsh/zshrc".text = ''
            HISTSIZE=${toString cfg.zsh.histSize}
            SAVEHIST=$HISTSIZE
            HISTFILE=$HOME/.zsh_history
            ${lib.optionalString cfg.zsh.enableCompletion "autoload -U compinit && compinit"}
            ${cfg.zsh.promptInit}
            ${lib.concatStrings (lib.mapAttrsToList (n: v: "alias -- ${n}=${lib.escapeShellArg v}\n") (
              lib.filterAttrs (_: v: v != null) (config.environment.shellAliases // cfg.zsh.shellAliases)
            ))}
            ${config.environment.interactiveShellInit}
            ${cfg.zsh.interactiveShellInit}
            ${lib.optionalString cfg.zsh.autosuggestions.enable ". /usr/share/zsh-autosuggestions/zsh-autosuggestions.zsh"}
            ${lib.optionalString cfg.zsh.syntaxHighlighting.enable ". /usr/share/zsh-syntax-highlighting/zsh-syntax-highlighting.zsh"}
          '';
        };
      })
      (mkIf cfg.fish.enable {
        environment.shells = [ "/usr/bin/fish" "/bin/fish" ];
        environment.etc."fish/conf.d/00-esker.fish".text = ''
          # Made from programs.fish.
          ${lib.concatStrings (lib.mapAttrsToList (n: v: "set -gx ${n} ${lib.escapeShellArg v}\n") (lib.filterAttrs (_: v: v != null) config.environment.variables))}
          ${cfg.fish.shellInit}
          if status is-interactive
          ${lib.concatStrings (lib.mapAttrsToList (n: v: "alias ${n} ${lib.escapeShellArg v}\n") (lib.filterAttrs (_: v: v != null) config.environment.shellAliases))}
          ${cfg.fish.interactiveShellInit}
          end
        '';
      })
    ]
  );
}
