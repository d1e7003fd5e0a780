//! What a built system's ssh server listens on, read from the sshd_config that it will use. Nothing is evaluated.

use nix_formats::StorePath;
use store::Store;

use crate::SystemError;

/// sshd's own default.
const DEFAULT_PORT: u16 = 22;

/// The ports of a system's ssh server; `None` where it has none.
///
/// Errors when the system's /etc cannot be read.
pub fn ports(store: &Store, toplevel: &StorePath) -> Result<Option<Vec<u16>>, SystemError> {
    let link = store.physical(toplevel).join("etc");
    let etc = fs_err::read_link(&link).map_err(|source| SystemError::Read { path: link, source })?;
    let path = store.layout().physical_of_logical(&etc).join("ssh/sshd_config");
    // openssh-server's own file, where it is installed but not enabled, is a link.
    if !path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Ok(None);
    }
    let text = fs_err::read_to_string(&path).map_err(|source| SystemError::Read { path, source })?;
    Ok(Some(parse(&text)))
}

/// The values of `Port`, up to the first `Match` (sshd_config(5)).
fn parse(text: &str) -> Vec<u16> {
    let keyword =
        |line: &str, wanted: &str| line.split_whitespace().next().is_some_and(|k| k.eq_ignore_ascii_case(wanted));
    let lines = text.lines().take_while(|line| !keyword(line, "match")).filter(|line| keyword(line, "port"));
    let ports: Vec<u16> = lines.filter_map(|line| line.split_whitespace().nth(1)?.parse().ok()).collect();
    if ports.is_empty() { vec![DEFAULT_PORT] } else { ports }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_those_of_the_file() {
        assert_eq!(parse("UsePAM yes\nport 2222\nPort 22\nMatch all\nPort 9\n"), [2222, 22]);
        assert_eq!(parse("# Port 1\nPorts 3\n"), [22]);
    }
}
