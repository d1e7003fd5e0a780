//! File capabilities: the text `setcap` takes → the bytes of the `security.capability` attribute.
//!
//! Source: capabilities(7), cap_from_text(3), and `struct vfs_cap_data` of `linux/capability.h` (revision 2:
//! magic, then two pairs of permitted and inheritable words, all little endian; 20 bytes). Only the clauses a package
//! writes are taken (`names=flags`, `names+flags`); removal (`-`) makes no sense on a fresh file and is an error.

use thiserror::Error;

/// Capability names by bit, as the kernel numbers them (linux/capability.h).
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

const REVISION_2: u32 = 0x0200_0000;
const FLAG_EFFECTIVE: u32 = 1;

/// A capability text without meaning.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CapabilityError {
    /// No `=` or `+` between names and flags.
    #[error("`{clause}` is no capability clause (names, then `=` or `+`, then flags of e, i and p)")]
    Clause {
        /// The clause as written.
        clause: String,
    },
    /// A name the kernel does not have.
    #[error("there is no capability `{name}`")]
    Name {
        /// The name as written.
        name: String,
    },
}

/// The value of `security.capability` for a `setcap` text such as `cap_net_raw+ep`.
///
/// # Errors
/// When the text names an unknown capability or is no list of clauses.
pub fn parse_capabilities(text: &str) -> Result<[u8; 20], CapabilityError> {
    let (mut permitted, mut inheritable, mut effective) = (0u64, 0u64, false);
    for clause in text.split_whitespace() {
        let wrong = || CapabilityError::Clause { clause: clause.to_owned() };
        let split = clause.find(['=', '+']).ok_or_else(wrong)?;
        let mut bits = 0u64;
        for name in clause[..split].split(',') {
            bits |= capability_bits(name)?;
        }
        for flag in clause[split + 1..].chars() {
            match flag {
                'p' => permitted |= bits,
                'i' => inheritable |= bits,
                'e' => effective = true,
                _ => return Err(wrong()),
            }
        }
    }
    let words = [
        REVISION_2 | if effective { FLAG_EFFECTIVE } else { 0 },
        low(permitted),
        low(inheritable),
        low(permitted >> 32),
        low(inheritable >> 32),
    ];
    let mut bytes = [0; 20];
    for (chunk, word) in bytes.chunks_exact_mut(4).zip(words) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    Ok(bytes)
}

fn capability_bits(name: &str) -> Result<u64, CapabilityError> {
    let lower = name.to_ascii_lowercase();
    if lower == "all" || lower.is_empty() {
        return Ok((1 << NAMES.len()) - 1);
    }
    lower
        .strip_prefix("cap_")
        .and_then(|short| NAMES.iter().position(|known| *known == short))
        .map(|bit| 1 << bit)
        .ok_or_else(|| CapabilityError::Name { name: name.to_owned() })
}

fn low(word: u64) -> u32 {
    u32::try_from(word & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ping_gets_net_raw() {
        let mut expected = [0; 20];
        expected[..8].copy_from_slice(&[1, 0, 0, 2, 0, 0x20, 0, 0]);
        assert_eq!(parse_capabilities("cap_net_raw+ep"), Ok(expected));
    }

    #[test]
    fn high_capabilities_go_to_the_second_word() {
        let bytes = parse_capabilities("cap_dac_override,cap_bpf,cap_net_admin=ep").unwrap();
        assert_eq!(bytes[4..8], (1u32 << 1 | 1 << 12).to_le_bytes());
        assert_eq!(bytes[12..16], (1u32 << 7).to_le_bytes());
    }

    #[test]
    fn nonsense_is_named() {
        assert_eq!(parse_capabilities("cap_fly=ep"), Err(CapabilityError::Name { name: "cap_fly".into() }));
        assert_eq!(parse_capabilities("cap_kill"), Err(CapabilityError::Clause { clause: "cap_kill".into() }));
    }

    /// Sets with the real `setcap` on a scratch file, as root of a user namespace, and reads back.
    #[test]
    fn setcap_writes_the_same_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, "x").unwrap();
        let script = "PATH=$PATH:/usr/sbin:/sbin; setcap \"$0\" \"$1\" && \
                      getfattr -e hex --only-values -n security.capability \"$1\"";
        for text in ["cap_net_raw+ep", "cap_dac_override,cap_bpf,cap_net_admin=ep", "cap_chown,cap_sys_nice=ei"] {
            let output = std::process::Command::new("unshare")
                .args(["--map-root-user", "sh", "-c", script, text])
                .arg(&file)
                .output()
                .expect("unshare is missing: install util-linux");
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "setcap (libcap2-bin) or getfattr (attr) failed: {error}");
            assert_eq!(output.stdout, parse_capabilities(text).unwrap(), "{text}");
        }
    }
}
