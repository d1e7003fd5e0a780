//! What `systems/options.nix` sets and what a command in the machine then prints: one table per domain.

use qemu::Agent;
use stories::Checks;

/// A fact: its name, a shell command, what it prints.
type Fact = (&'static str, &'static str, &'static str);

/// Checks all tables.
pub(crate) fn check_all(agent: &mut Agent, checks: &mut Checks) {
    for (name, script, expected) in
        [BOOT, DISKS, NETWORK, LANGUAGE, ACCOUNTS, RIGHTS, UNITS, SERVICES, PROGRAMS].concat()
    {
        checks.prints(agent, name, script, expected);
    }
    checks.fails(agent, "a mount is read-only", "touch /srv/www/x");
    checks.fails(
        agent,
        "others cannot read a private file",
        "su bob -c 'test ! -r /etc/private.conf' || su keeper -s /bin/sh -c 'cat /etc/private.conf'",
    );
    checks.fails(agent, "sudo's rule is for one command", "su bob -c 'sudo -n -u keeper /usr/bin/cat /etc/passwd'");
    checks.fails(agent, "and for one user", "su bob -c 'sudo -n /usr/bin/id'");
    checks.fails(
        agent,
        "a wrapper is only for its group",
        "su keeper -s /bin/sh -c '/run/wrappers/bin/reader /etc/shadow'",
    );
    checks.fails(
        agent,
        "who may read by a capability may not write",
        "su bob -c '/run/wrappers/bin/reader /etc/shadow > /etc/shadow'",
    );
}

const BOOT: &[Fact] = &[
    ("the cloud kernel runs", "uname -r | grep -o cloud", "cloud"),
    ("a module is loaded", "grep -o '^loop' /proc/modules", "loop"),
    ("with its options", "cat /sys/module/loop/parameters/max_loop", "5"),
    ("stage 1 loads modules", "grep -o '^nbd' /proc/modules", "nbd"),
    ("a module is on the black list", "modprobe --showconfig | grep '^blacklist pcspkr'", "blacklist pcspkr"),
    ("the initrd begins with microcode", "head -c 6 /run/current-system/initrd", "070701"),
    (
        "of both vendors",
        "grep -a -o 'kernel/x86/microcode/[A-Za-z]*.bin' /run/current-system/initrd | sort -u | xargs",
        "kernel/x86/microcode/AuthenticAMD.bin kernel/x86/microcode/GenuineIntel.bin",
    ),
    ("the size of /tmp", "findmnt -bno SIZE /tmp", "31457280"),
    ("sysctl", "sysctl -n vm.swappiness", "17"),
];

const DISKS: &[Fact] = &[
    (
        "the declared partitions are where they belong",
        "for d in /boot /spare /nix; do findmnt -no SOURCE,FSTYPE $d; done | xargs",
        "/dev/vda1 vfat /dev/vda2 ext4 /dev/vda4 ext4",
    ),
    ("a declared label", "lsblk -no LABEL /dev/vda2", "spare"),
    ("declared swap with its priority", "swapon --noheadings --show=NAME,PRIO | grep vda | xargs", "/dev/vda3 3"),
    (
        "the store's partition grew to the end of the larger disk",
        "cd /sys/class/block/vda; echo $(( $(cat size) - $(cat vda4/start) - $(cat vda4/size) <= 2048 ))",
        "1",
    ),
    (
        "and its filesystem with it",
        "echo $(( $(df -B1 --output=size /nix | tail -1) > $(cat /sys/class/block/vda4/size) * 512 / 100 * 95 ))",
        "1",
    ),
    ("an empty disk was formatted", "findmnt -no SOURCE,FSTYPE /data", "/dev/vdb ext4"),
    (
        "and mounted with its options",
        "findmnt -no OPTIONS /data | tr , '\\n' | grep -x -e noatime -e commit=30 | sort | xargs",
        "commit=30 noatime",
    ),
    ("a folder is bound", "findmnt -no SOURCE /srv/www", "/dev/vdb[/www]"),
    ("its content is there", "cat /srv/www/page", "served"),
    ("a tmpfs has its size", "findmnt -bno FSTYPE,SIZE /scratch", "tmpfs 16777216"),
    ("and its mode", "stat -c %a /scratch", "1777"),
    (
        "a swap file was made",
        "swapon --noheadings --bytes --show=NAME,SIZE,PRIO | grep swapfile | xargs",
        "/var/swapfile 50327552 7",
    ),
    ("it is nobody's to read", "stat -c '%a %s' /var/swapfile", "600 50331648"),
    ("a swap disk is found by its label", "swapon --noheadings --show=NAME | grep -v -e swapfile -e vda", "/dev/vdc"),
    ("its filesystem's programs are there", "ls /usr/sbin/fsck.ext4 /usr/sbin/fsck.vfat | wc -l", "2"),
];

const NETWORK: &[Fact] = &[
    ("static addresses", "ip -4 -o addr show eth0 | awk '{print $4}' | xargs", "10.0.2.15/24 10.0.2.99/24"),
    ("the interface's largest packet", "cat /sys/class/net/eth0/mtu", "1400"),
    ("the default gateway", "ip route show default | awk '{print $3, $5}'", "10.0.2.2 eth0"),
    (
        "a route with a metric",
        "ip route show 10.99.0.0/16 | grep -o 'via 10.0.2.2\\|metric 42' | xargs",
        "via 10.0.2.2 metric 42",
    ),
    ("name servers", "resolvectl --no-pager dns | head -n 1", "Global: 10.0.2.3 192.0.2.53"),
    ("the domain of short names", "resolvectl --no-pager domain | head -n 1", "Global: home.arpa"),
    ("a bridge with its member", "ls /sys/class/net/br0/brif", "dummy0"),
    ("and its address", "ip -4 -o addr show br0 | awk '{print $4}'", "198.51.100.1/24"),
    ("a virtual LAN", "ip -d link show vlan7 | grep -o 'id 7'", "id 7"),
    ("a table of packet rules", "nft list set inet mine known | grep -o ipv4_addr", "ipv4_addr"),
    (
        "a network behind shares the address",
        "nft list table ip nixos-nat | grep -o 'oifname \"eth0\" masquerade'",
        "oifname \"eth0\" masquerade",
    ),
    ("and packets are passed on", "sysctl -n net.ipv4.conf.all.forwarding", "1"),
    ("the gateway answers", "ping -c 1 -W 10 10.0.2.2 > /dev/null && echo yes", "yes"),
];

const LANGUAGE: &[Fact] = &[
    ("the locale", "cat /etc/locale.conf | xargs", "LANG=en_GB.UTF-8 LC_TIME=nl_NL.UTF-8"),
    ("one category differs", "su - bob -c 'date -d 2026-01-02 +%A'", "vrijdag"),
    (
        "all supported locales",
        "locale -a | grep -i -e de_DE -e en_GB -e nl_NL | xargs",
        "de_DE@euro en_GB.utf8 nl_NL.utf8",
    ),
    ("the keyboard's map", "dumpkeys -C /dev/tty1 | grep -m 1 'keycode *16 ='", "keycode  16 = a"),
];

const ACCOUNTS: &[Fact] = &[
    ("a user", "getent passwd alice", "alice:x:1100:100:Alice Example:/home/alice:/usr/bin/zsh"),
    ("the home's mode", "stat -c '%U %a' /home/alice", "alice 750"),
    ("groups", "id -nG alice | tr ' ' '\\n' | sort | xargs", "makers users wheel"),
    ("a group's number and members", "getent group makers | tr ',' '\\n' | sort | xargs", "bob makers:x:1500:alice"),
    ("subordinate users", "grep ^alice: /etc/subuid", "alice:200000:1000"),
    ("subordinate groups", "grep ^alice: /etc/subgid", "alice:300000:2000"),
    ("subordinate ids on their own", "grep -c ^bob: /etc/subuid /etc/subgid | xargs", "/etc/subuid:1 /etc/subgid:1"),
    ("an account's end", "getent shadow alice | cut -d: -f8", "47481"),
    ("a shell is a valid one", "grep -c -x /usr/bin/zsh /etc/shells", "1"),
    ("a user's package", "su bob -c 'tree --version' | cut -d' ' -f1", "tree"),
    ("a service's account", "getent passwd keeper | cut -d: -f6,7", "/var/lib/keeper:/usr/sbin/nologin"),
    ("and its home", "stat -c '%U %G %a' /var/lib/keeper", "keeper keeper 700"),
    ("a password's hash", "su bob -c 'echo alice | su alice -s /bin/sh -c \"id -un\"' 2>/dev/null", "alice"),
    ("the message of the day", "cat /etc/motd", "All that can be set is set."),
];

const RIGHTS: &[Fact] = &[
    ("a setuid wrapper", "su bob -c '/run/wrappers/bin/rootly -u'", "0"),
    ("a setgid wrapper", "su keeper -s /bin/sh -c '/run/wrappers/bin/makerly -gn'", "makers"),
    ("a wrapper with a capability", "su bob -c '/run/wrappers/bin/reader /etc/shadow' | grep -c ^root:", "1"),
    ("a soft limit", "su - alice -s /bin/sh -c 'ulimit -Sn'", "4242"),
    ("a group's limit", "su - bob -s /bin/bash -c 'ulimit -Su; ulimit -Hu' | xargs", "321 321"),
    ("a PAM service of one's own", "head -n 2 /etc/pam.d/special | tail -n 1", "auth sufficient pam_rootok.so"),
    ("sudo by a rule, without a password", "su bob -c 'sudo -n -u keeper /usr/bin/id -un'", "keeper"),
    ("sudo for the group wheel", "su alice -s /bin/sh -c 'echo alice | sudo -S /usr/bin/id -un' 2>/dev/null", "root"),
    ("a file of /etc with mode and group", "stat -c '%U %G %a' /etc/private.conf", "root makers 640"),
];

const UNITS: &[Fact] = &[
    (
        "scripts before and after, environment and arguments",
        "cat /run/grouped | xargs",
        "pre hello world grouped.service post",
    ),
    ("a target of one's own", "systemctl is-active options.target", "active"),
    ("a mount", "findmnt -no FSTYPE,SIZE /mnt/my-mount | xargs", "tmpfs 4M"),
    (
        "startAt makes a timer",
        "systemctl show -P TimersCalendar at-times.timer | grep -o 'OnCalendar=[^ ]* [^ ]*'",
        "OnCalendar=*-*-* *:00:00",
    ),
    ("a slice", "systemctl show -P MemoryMax small.slice", "67108864"),
    ("rules of tmpfiles", "stat -c '%U %G %a' /run/ruled; readlink /run/linked", "keeper makers 711\n/etc/hostname"),
    ("settings of tmpfiles", "stat -c '%U %G %a' /run/settled; cat /run/settled", "alice users 640\ncontent"),
    ("a user's manager lingers, with its service", "cat /run/user/1100/greeted", "alice"),
    ("and its tmpfiles", "stat -c '%U %a' /home/alice/made", "alice 700"),
    ("a setting of the manager", "systemctl show -P DefaultTimeoutStopUSec", "21s"),
    ("a unit is masked", "systemctl is-enabled systemd-pstore.service", "masked"),
    ("an environment for all units", "systemd-run --quiet --pipe --wait sh -c 'echo $EVERYWHERE'", "yes"),
    (
        "a package's unit is only changed",
        "systemctl show -P Environment systemd-timesyncd | grep -o SYSTEMD_LOG_LEVEL=debug; systemctl is-active systemd-timesyncd",
        "SYSTEMD_LOG_LEVEL=debug\nactive",
    ),
    ("a generator is off", "readlink /etc/systemd/system-generators/systemd-ssh-generator", "/dev/null"),
];

const SERVICES: &[Fact] = &[
    (
        "what the power button does",
        "busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager HandlePowerKey",
        "s \"ignore\"",
    ),
    (
        "the journal's size",
        "journalctl -b --no-pager -o cat | grep -m 1 -o 'System Journal.*max 24M'  | grep -o 'max 24M'",
        "max 24M",
    ),
    (
        "a setting of the journal",
        "systemd-analyze --no-pager cat-config systemd/journald.conf | grep -x RateLimitBurst=500",
        "RateLimitBurst=500",
    ),
    (
        "time servers",
        "timedatectl show-timesync -p SystemNTPServers -p FallbackNTPServers | xargs",
        "SystemNTPServers=ntp.home.arpa FallbackNTPServers=fallback.home.arpa",
    ),
    (
        "the resolver's fallback",
        "resolvectl --no-pager status | grep -o 'Fallback DNS Servers: 192.0.2.54'",
        "Fallback DNS Servers: 192.0.2.54",
    ),
    ("the resolver's protocols", "resolvectl --no-pager llmnr | head -n 1", "Global: no"),
    ("the resolver listens where it should", "ss -lun | grep -c 127.0.0.9:53", "1"),
];

const PROGRAMS: &[Fact] = &[
    ("an interactive bash", "su - bob -c 'bash -ic \"echo \\$INTERACTIVE; hi\"' 2>/dev/null | xargs", "1 hi there"),
    ("bash completes", "bash -ic 'complete -p | grep -c _comp' 2>/dev/null | grep -c '^[1-9]'", "1"),
    ("session variables", "su - bob -c 'echo $SESSION'", "set"),
    ("the default editor", "su - bob -c 'echo $EDITOR'", "vim"),
    (
        "vim's settings",
        "vim -u /etc/vim/vimrc -es -c 'redir! > /tmp/vim' -c 'set shiftwidth?' -c q /dev/null >/dev/null; xargs < /tmp/vim",
        "shiftwidth=3",
    ),
    (
        "git's settings",
        "git config --system init.defaultBranch; git config --system alias.co; git config --system filter.lfs.required",
        "trunk\ncheckout\ntrue",
    ),
    ("git-lfs", "git lfs version | grep -o ^git-lfs", "git-lfs"),
    ("tmux's settings", "tmux -L x new-session -d && tmux -L x show -gv base-index; tmux -L x kill-server", "1"),
    ("keys of hosts", "cut -d' ' -f1,2 /etc/ssh/ssh_known_hosts", "example.org ssh-ed25519"),
    ("nano's settings", "tail -n 1 /etc/nanorc", "set tabsize 3"),
];
