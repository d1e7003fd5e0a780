//! The kernel's command line, as far as stage 1 looks at it. Source: the kernel's
//! `Documentation/admin-guide/kernel-parameters.rst`; rd.timeout as in dracut.cmdline(7).

use std::path::{Path, PathBuf};

use super::error::Stage1Error;
use crate::settings::FailurePolicy;

/// What the command line says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CommandLine {
    /// `init=`: the program to execute in the end.
    pub(super) init: Option<String>,
    /// `root=`: the device of the store's filesystem, instead of the configured one.
    pub(super) store_device: Option<String>,
    /// `rootfstype=`: its type.
    pub(super) store_fs_type: Option<String>,
    /// `rootflags=`: its options.
    pub(super) store_options: Option<Vec<String>>,
    /// `esker.debug`: more messages, and a shell after a failure.
    pub(super) debug: bool,
    /// `esker.copytoram`: a store on a medium is copied to memory, and the medium is not needed any more.
    pub(super) copy_to_ram: bool,
    /// `esker.panic=`: what to do after a failure.
    pub(super) panic: Option<FailurePolicy>,
    /// `rd.timeout=`: how long to wait for a device.
    pub(super) device_timeout_seconds: Option<u64>,
}

impl CommandLine {
    /// Parses the text of /proc/cmdline. Unknown parameters are others' and no errors; of repeated ones the last counts.
    pub(super) fn parse(text: &str) -> Result<Self, Stage1Error> {
        let mut line = Self::default();
        for word in words(text) {
            let (name, value) = word.split_once('=').unwrap_or((&word, ""));
            match name {
                // What comes after is for init.
                "--" => break,
                "init" => line.init = Some(value.to_owned()),
                "root" => line.store_device = Some(value.to_owned()),
                "rootfstype" => line.store_fs_type = Some(value.to_owned()),
                "rootflags" => line.store_options = Some(value.split(',').map(str::to_owned).collect()),
                "esker.debug" => line.debug = true,
                "esker.copytoram" => line.copy_to_ram = true,
                "esker.panic" => line.panic = Some(parse_policy(value)?),
                "rd.timeout" => line.device_timeout_seconds = Some(parse_seconds(value)?),
                _ => {}
            }
        }
        Ok(line)
    }

    /// The toplevel: the directory of `init=`.
    pub(super) fn toplevel(&self) -> Result<&Path, Stage1Error> {
        let init = self.init.as_deref().ok_or(Stage1Error::NoInit)?;
        let path = Path::new(init);
        match path.parent() {
            Some(toplevel) if path.is_absolute() && path.ends_with("init") => Ok(toplevel),
            _ => Err(Stage1Error::BadInit { init: init.to_owned() }),
        }
    }

    /// The program to execute.
    pub(super) fn init(&self) -> PathBuf {
        self.init.as_deref().map(PathBuf::from).unwrap_or_default()
    }
}

fn parse_policy(value: &str) -> Result<FailurePolicy, Stage1Error> {
    match value {
        "reboot" => Ok(FailurePolicy::Reboot),
        "halt" => Ok(FailurePolicy::Halt),
        _ => Err(Stage1Error::BadParameter {
            parameter: "esker.panic",
            value: value.to_owned(),
            expected: "reboot or halt",
        }),
    }
}

fn parse_seconds(value: &str) -> Result<u64, Stage1Error> {
    value.parse().map_err(|_| Stage1Error::BadParameter {
        parameter: "rd.timeout",
        value: value.to_owned(),
        expected: "a number of seconds",
    })
}

/// Splits at blanks outside of double quotes, as the kernel does; the quotes go.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for character in text.chars() {
        match character {
            '"' => quoted = !quoted,
            blank if blank.is_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            other => word.push(other),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_parameters_and_leaves_others_alone() {
        let text = "BOOT_IMAGE=/k console=ttyS0 quiet root=LABEL=\"my nix\" rootfstype=btrfs rootflags=subvol=@,ro \
                    init=/nix/store/x-system/init esker.debug esker.copytoram esker.panic=halt rd.timeout=90\n";
        let line = CommandLine::parse(text).unwrap();
        assert_eq!(line.toplevel().unwrap(), Path::new("/nix/store/x-system"));
        assert_eq!(line.store_device.as_deref(), Some("LABEL=my nix"));
        assert_eq!(line.store_options, Some(vec!["subvol=@".into(), "ro".into()]));
        assert_eq!((line.debug, line.copy_to_ram, line.panic), (true, true, Some(FailurePolicy::Halt)));
        assert_eq!(line.device_timeout_seconds, Some(90));
    }

    #[test]
    fn the_last_init_counts_and_arguments_of_init_do_not() {
        let line = CommandLine::parse("init=/a/init init=/b/init -- init=/c/init").unwrap();
        assert_eq!(line.toplevel().unwrap(), Path::new("/b"));
    }

    #[test]
    fn a_missing_or_wrong_init_is_an_error() {
        let toplevel = |text| CommandLine::parse(text).unwrap().toplevel().map(Path::to_owned);
        assert!(matches!(toplevel("quiet"), Err(Stage1Error::NoInit)));
        assert!(matches!(toplevel("init=/bin/sh"), Err(Stage1Error::BadInit { .. })));
        assert!(matches!(toplevel("init=x/init"), Err(Stage1Error::BadInit { .. })));
    }

    #[test]
    fn a_wrong_value_names_parameter_and_value() {
        let error = CommandLine::parse("rd.timeout=soon").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the kernel parameter `rd.timeout` has the value `soon`, expected a number of seconds"
        );
    }
}
