//! Numeric ids of system users and groups, as pure functions of their names.
//!
//! Ids are numbers inside images, so nothing may allocate them at run time: two builds of one configuration must agree, and
//! adding a package must renumber nobody. First comes Debian's own static allocation, then a table of well-known names that
//! keeps them clear of each other, then a hash. What a hash cannot exclude, two names on one number, [`collisions`] reports.
//! People's accounts (1000 and up) are not handled here.
//!
//! Source: base-passwd 3.6.7 (`passwd.master`, `group.master`, the registry of 60000-64999 in its README), Debian Policy 9.2.2.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

/// The lowest id a hash may yield. 100 itself is Debian's group `users`.
const FIRST_HASHED: u32 = 101;
/// How many ids a hash may yield; 900-999 belong to [`WELL_KNOWN`].
const HASHED_IDS: u32 = 799;

/// The id of a system user: Debian's static one, else [`system_id`].
pub fn user_id(name: &str) -> u32 {
    lookup(STATIC_USERS, name).unwrap_or_else(|| dynamic_id(name))
}

/// The id of a system group: Debian's static one, else [`system_id`].
pub fn group_id(name: &str) -> u32 {
    lookup(STATIC_GROUPS, name).unwrap_or_else(|| dynamic_id(name))
}

/// One id for a user and the group of the same name: Debian's static one (the user's where both exist and differ, as with
/// `man` and `games`), else 900-999 from a table of well-known names, else 101-899 from a stable hash of the name.
pub fn system_id(name: &str) -> u32 {
    lookup(STATIC_USERS, name).or_else(|| lookup(STATIC_GROUPS, name)).unwrap_or_else(|| dynamic_id(name))
}

/// The primary group's id of one of Debian's static users, when it differs from the user's own id.
pub fn static_primary_group(user: &str) -> Option<u32> {
    lookup(STATIC_PRIMARY_GROUPS, user)
}

/// Whether a user or group of that name is on every Debian system (base-passwd makes it). Names that only have a number
/// reserved for them do not count.
pub fn is_static(name: &str) -> bool {
    let below_reserved = |table| lookup(table, name).is_some_and(|id| !(60_000..65_000).contains(&id));
    below_reserved(STATIC_USERS) || below_reserved(STATIC_GROUPS)
}

/// The names among `names` that share one id, grouped by id. `id` is [`user_id`], [`group_id`] or [`system_id`]; empty when
/// every name has a number of its own.
pub fn collisions<'a>(
    names: impl IntoIterator<Item = &'a str>,
    id: impl Fn(&str) -> u32,
) -> BTreeMap<u32, BTreeSet<&'a str>> {
    let mut by_id: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
    for name in names {
        by_id.entry(id(name)).or_default().insert(name);
    }
    by_id.retain(|_, names| names.len() > 1);
    by_id
}

fn dynamic_id(name: &str) -> u32 {
    if let Some(position) = WELL_KNOWN.iter().position(|&known| known == name) {
        return (900..1000).nth(position).unwrap_or(999);
    }
    let digest = Sha256::digest(name.as_bytes());
    let number = digest.iter().take(8).fold(0u64, |number, &byte| number << 8 | u64::from(byte));
    let slot = number % u64::from(HASHED_IDS);
    FIRST_HASHED + u32::try_from(slot).unwrap_or(0)
}

fn lookup(table: &[(&str, u32)], name: &str) -> Option<u32> {
    table.iter().find(|(known, _)| *known == name).map(|&(_, id)| id)
}

/// Users of base-passwd's `passwd.master` and of its registry of 60000-64999.
#[rustfmt::skip]
const STATIC_USERS: &[(&str, u32)] = &[
    ("root", 0), ("daemon", 1), ("bin", 2), ("sys", 3), ("sync", 4), ("games", 5), ("man", 6), ("lp", 7), ("mail", 8),
    ("news", 9), ("uucp", 10), ("proxy", 13), ("www-data", 33), ("backup", 34), ("list", 38), ("irc", 39), ("_apt", 42),
    ("nobody", 65534),
    ("netplan", 63434), ("ftn", 64000), ("mysql", 64001), ("tac-plus", 64005), ("alias", 64010), ("qmaild", 64011),
    ("qmails", 64012), ("qmailr", 64013), ("qmailq", 64015), ("qmaill", 64016), ("qmailp", 64017), ("asterisk", 64020),
    ("vpopmail", 64025), ("slurm", 64030), ("hacluster", 64035), ("ceph", 64045), ("opensrf", 64050),
    ("libvirt-qemu", 64055), ("nova", 64060), ("cinder", 64061), ("glance", 64062), ("gnocchi", 64065),
];

/// Groups of base-passwd's `group.master` and of its registry of 60000-64999.
#[rustfmt::skip]
const STATIC_GROUPS: &[(&str, u32)] = &[
    ("root", 0), ("daemon", 1), ("bin", 2), ("sys", 3), ("adm", 4), ("tty", 5), ("disk", 6), ("lp", 7), ("mail", 8),
    ("news", 9), ("uucp", 10), ("man", 12), ("proxy", 13), ("kmem", 15), ("dialout", 20), ("fax", 21), ("voice", 22),
    ("cdrom", 24), ("floppy", 25), ("tape", 26), ("sudo", 27), ("audio", 29), ("dip", 30), ("www-data", 33),
    ("backup", 34), ("operator", 37), ("list", 38), ("irc", 39), ("src", 40), ("shadow", 42), ("utmp", 43),
    ("video", 44), ("sasl", 45), ("plugdev", 46), ("staff", 50), ("games", 60), ("users", 100), ("nogroup", 65534),
    ("netplan", 63434), ("ftn", 64000), ("mysql", 64001), ("tac-plus", 64005), ("qmail", 64010), ("asterisk", 64020),
    ("vchkpw", 64025), ("slurm", 64030), ("haclient", 64035), ("grsec-tpe", 64040), ("grsec-sock-all", 64041),
    ("grsec-sock-clt", 64042), ("grsec-sock-srv", 64043), ("grsec-proc", 64044), ("ceph", 64045), ("opensrf", 64050),
    ("libvirt-qemu", 64055), ("nova", 64060), ("cinder", 64061), ("glance", 64062), ("gnocchi", 64065),
];

/// Static users whose primary group has another number.
const STATIC_PRIMARY_GROUPS: &[(&str, u32)] =
    &[("sync", 65534), ("games", 60), ("man", 12), ("_apt", 65534), ("nobody", 65534), ("alias", 65534)];

/// Names that Debian numbers at installation and that many systems have. A name's place is its id less 900: append, never
/// insert, remove or reorder. At most 100.
#[rustfmt::skip]
const WELL_KNOWN: &[&str] = &[
    "systemd-journal", "systemd-network", "systemd-resolve", "systemd-timesync", "systemd-coredump", "systemd-oom",
    "systemd-journal-remote", "systemd-journal-upload", "messagebus", "polkitd",
    "input", "sgx", "clock", "kvm", "render", "crontab", "netdev", "_ssh", "sshd", "ssl-cert",
    "uuidd", "tss", "rtkit", "avahi", "colord", "geoclue", "gdm", "sddm", "lightdm", "pipewire",
    "pulse", "pulse-access", "scanner", "saned", "lpadmin", "bluetooth", "wireshark", "docker", "libvirt", "libvirt-dnsmasq",
    "postgres", "redis", "memcache", "mongodb", "rabbitmq", "epmd", "etcd", "nginx", "haproxy", "varnish",
    "postfix", "postdrop", "Debian-exim", "dovecot", "dovenull", "opendkim", "opendmarc", "dnsmasq", "bind", "unbound",
    "_chrony", "ntpsec", "_rpc", "statd", "syslog", "tcpdump", "man-db", "mlocate", "plocate", "ftp",
    "git", "gitea", "grafana", "prometheus", "zabbix", "munin", "nagios", "collectd", "telegraf", "influxdb",
    "debian-tor", "openvpn", "wireguard", "strongswan", "radvd", "quagga", "frr", "frrvty", "fwupd-refresh", "gnome-remote-desktop",
    "usbmux", "brltty", "speech-dispatcher", "hplip", "cups-pk-helper", "whoopsie", "landscape", "tomcat", "jenkins", "nm-openvpn",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debians_static_ids_are_kept() {
        assert_eq!((user_id("www-data"), group_id("www-data")), (33, 33));
        assert_eq!((user_id("man"), group_id("man"), system_id("man")), (6, 12, 6));
        assert_eq!((user_id("_apt"), group_id("shadow")), (42, 42));
        assert_eq!((system_id("nobody"), system_id("nogroup"), system_id("sudo")), (65534, 65534, 27));
    }

    #[test]
    fn ids_of_released_systems_never_change() {
        assert_eq!((system_id("messagebus"), system_id("sshd"), system_id("nm-openvpn")), (908, 918, 999));
        assert_eq!((system_id("example-daemon"), system_id("another")), (183, 559));
    }

    #[test]
    fn the_table_has_room_and_no_name_twice() {
        assert!(WELL_KNOWN.len() <= 100);
        assert_eq!(WELL_KNOWN.iter().collect::<BTreeSet<_>>().len(), WELL_KNOWN.len());
        assert!(WELL_KNOWN.iter().all(|name| { lookup(STATIC_USERS, name).or(lookup(STATIC_GROUPS, name)).is_none() }));
        assert_eq!(collisions(WELL_KNOWN.iter().copied(), system_id), BTreeMap::new());
    }

    #[test]
    fn hashed_ids_stay_between_debians_and_the_table() {
        for number in 0..5000 {
            let id = system_id(&format!("user{number}"));
            assert!((101..900).contains(&id), "{id}");
        }
    }

    #[test]
    fn collisions_name_everyone_involved() {
        let names: Vec<String> = (0..2000).map(|number| format!("user{number}")).collect();
        let wanted = system_id("user0");
        let twin = names.iter().skip(1).find(|name| system_id(name) == wanted).unwrap();
        let found = collisions(["user0", twin, "root", "user0"], system_id);
        assert_eq!(found, BTreeMap::from([(wanted, BTreeSet::from(["user0", twin.as_str()]))]));
    }
}
