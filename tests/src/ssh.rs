//! ssh to a machine under test, with the tests' own key.

use std::process::{Command, Stdio};

use crate::Lab;

/// A user of a machine, through a forwarded port of this host.
#[derive(Clone, Debug)]
pub struct Ssh {
    key: std::path::PathBuf,
    port: u16,
    user: &'static str,
}

impl Ssh {
    /// Logs in with the tests' key.
    pub fn new(lab: &Lab, port: u16, user: &'static str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        // In a checkout everybody may read it, which ssh refuses.
        let key = lab.artifacts().join("key");
        fs_err::copy(lab.file("keys/admin"), &key).expect("the key");
        fs_err::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("the key's mode");
        Self { key, port, user }
    }

    /// A command line of ssh(1), for this host.
    pub fn command(&self, options: &[&str], remote: &str) -> Command {
        let mut command = Command::new("ssh");
        command.args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
        command.args(["-o", "LogLevel=ERROR", "-o", "ConnectTimeout=60", "-o", "PasswordAuthentication=no"]);
        command.arg("-i").arg(&self.key).args(["-p", &self.port.to_string()]).args(options);
        command.arg(format!("{}@127.0.0.1", self.user)).arg(remote).stdin(Stdio::null());
        command
    }

    /// What a command prints, errors too.
    pub fn run(&self, remote: &str) -> String {
        let output = self.command(&[], remote).output().expect("ssh runs (openssh-client)");
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }
}
