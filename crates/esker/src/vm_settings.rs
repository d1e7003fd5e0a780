//! What a configuration says of the virtual machine that `esker vm` makes of it, as `modules/virtualisation/shared-store.nix`
//! puts it into the system: `vm.json`.

use nix_formats::StorePath;
use qemu::Forward;
use serde::Deserialize;
use system::Session;

/// The options `virtualisation.{memorySize,cores,diskSize,graphics,forwardPorts}`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct VmSettings {
    /// Memory in MiB.
    pub(crate) memory_mib: u32,
    /// Processors.
    pub(crate) cores: u32,
    /// How large the disk of the state may become, in MiB.
    pub(crate) disk_mib: u64,
    /// Whether the screen is shown in a window.
    pub(crate) graphics: bool,
    /// Ports of the host that lead to the machine's.
    pub(crate) forward_ports: Vec<PortPair>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct PortPair {
    /// On the loopback address.
    host: u16,
    guest: u16,
}

impl Default for VmSettings {
    fn default() -> Self {
        Self { memory_mib: 1024, cores: 2, disk_mib: 16 << 10, graphics: false, forward_ports: Vec::new() }
    }
}

impl VmSettings {
    /// What a system says. One that is booted from a disk image says nothing.
    ///
    /// Errors when it cannot be read.
    pub(crate) fn of(session: &Session, toplevel: &StorePath) -> Result<Self, Box<dyn std::error::Error>> {
        let file = session.store().physical(toplevel).join("vm.json");
        match fs_err::read(&file) {
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// Ports of the host that lead to the machine's.
    pub(crate) fn forwards(&self) -> impl Iterator<Item = Forward> {
        self.forward_ports.iter().map(|&PortPair { host, guest }| Forward { host, guest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_modules_write_is_read() {
        let text =
            r#"{"cores":4,"diskMib":2048,"forwardPorts":[{"guest":80,"host":8080}],"graphics":true,"memoryMib":3072}"#;
        let settings: VmSettings = serde_json::from_str(text).unwrap();
        assert_eq!(settings.forwards().collect::<Vec<_>>(), [Forward { host: 8080, guest: 80 }]);
        assert_eq!((settings.memory_mib, settings.cores, settings.disk_mib, settings.graphics), (3072, 4, 2048, true));
    }
}
