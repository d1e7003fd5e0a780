//! File capabilities: from libcap's text (`cap_net_raw,cap_net_admin+ep`) to the `security.capability` attribute.
//! No I/O. Sources: capabilities(7), cap_from_text(3), the kernel's `include/uapi/linux/capability.h`.

/// Names by number, as in the kernel's header.
const NAMES: [&str; 41] = [
    "cap_chown",
    "cap_dac_override",
    "cap_dac_read_search",
    "cap_fowner",
    "cap_fsetid",
    "cap_kill",
    "cap_setgid",
    "cap_setuid",
    "cap_setpcap",
    "cap_linux_immutable",
    "cap_net_bind_service",
    "cap_net_broadcast",
    "cap_net_admin",
    "cap_net_raw",
    "cap_ipc_lock",
    "cap_ipc_owner",
    "cap_sys_module",
    "cap_sys_rawio",
    "cap_sys_chroot",
    "cap_sys_ptrace",
    "cap_sys_pacct",
    "cap_sys_admin",
    "cap_sys_boot",
    "cap_sys_nice",
    "cap_sys_resource",
    "cap_sys_time",
    "cap_sys_tty_config",
    "cap_mknod",
    "cap_lease",
    "cap_audit_write",
    "cap_audit_control",
    "cap_setfcap",
    "cap_mac_override",
    "cap_mac_admin",
    "cap_syslog",
    "cap_wake_alarm",
    "cap_block_suspend",
    "cap_audit_read",
    "cap_perfmon",
    "cap_bpf",
    "cap_checkpoint_restore",
];

const REVISION_2: u32 = 0x0200_0000;
const EFFECTIVE: u32 = 1;

/// The attribute's value (`struct vfs_cap_data`, revision 2): five little-endian words: magic and the effective flag,
/// then permitted and inheritable of capabilities 0-31, then of 32-63.
///
/// The text is `NAMES(+|=)FLAGS` clauses separated by blanks, NAMES separated by commas, FLAGS of `e`, `i`, `p`.
/// `None` when it is not that, or asks for effective flags that differ between capabilities (files have one flag).
pub(crate) fn attribute(text: &str) -> Option<[u8; 20]> {
    let mut permitted = 0_u64;
    let mut inheritable = 0_u64;
    let mut effective = 0_u64;
    for clause in text.split_whitespace() {
        let (names, flags) = clause.split_once(['+', '='])?;
        let set = names.split(',').try_fold(0_u64, |set, name| Some(set | capability(name)?))?;
        for flag in flags.chars() {
            match flag {
                'p' => permitted |= set,
                'i' => inheritable |= set,
                'e' => effective |= set,
                _ => return None,
            }
        }
    }
    let held = permitted | inheritable;
    if held == 0 || (effective != 0 && effective != held) {
        return None;
    }
    let magic = REVISION_2 | if effective == 0 { 0 } else { EFFECTIVE };
    let mut value = [0_u8; 20];
    value[0..4].copy_from_slice(&magic.to_le_bytes());
    let (permitted, inheritable) = (permitted.to_le_bytes(), inheritable.to_le_bytes());
    value[4..8].copy_from_slice(&permitted[..4]);
    value[8..12].copy_from_slice(&inheritable[..4]);
    value[12..16].copy_from_slice(&permitted[4..]);
    value[16..20].copy_from_slice(&inheritable[4..]);
    Some(value)
}

fn capability(name: &str) -> Option<u64> {
    let number = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name))?;
    Some(1 << number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_capability_text_is_refused() {
        for text in ["", "cap_net_raw", "cap_nonsense+ep", "cap_net_raw+x", "cap_chown+e", "cap_chown+ep cap_kill+p"] {
            assert_eq!(attribute(text), None, "{text}");
        }
    }

    #[test]
    fn effective_is_one_flag_for_all() {
        let value = attribute("cap_net_raw,CAP_NET_ADMIN=ep cap_bpf+ep").unwrap();
        assert_eq!(value[0..4], [1, 0, 0, 2]);
        assert_eq!(value[4..8], ((1_u32 << 13) | (1 << 12)).to_le_bytes());
        assert_eq!(value[12..16], (1_u32 << (39 - 32)).to_le_bytes());
    }
}
