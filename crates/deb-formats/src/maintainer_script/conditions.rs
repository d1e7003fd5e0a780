//! What tests say on a system that never had the package.

use std::cmp::Ordering;

use super::expand::Argument;
use super::interpret::{Interpreter, Status};
use crate::ids;
use crate::version;

impl Interpreter<'_> {
    /// `test` and `[ … ]`.
    pub(super) fn test(&self, arguments: &[Argument]) -> Status {
        // `-o` binds weaker than `-a`.
        let is = |argument: &Argument, text: &str| argument.as_deref() == Some(text);
        if let Some(at) = arguments.iter().position(|argument| is(argument, "-o")).filter(|&at| at > 0) {
            return match (self.test(&arguments[..at]), self.test(&arguments[at + 1..])) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), other) => other,
                (None, _) => None,
            };
        }
        if let Some(at) = arguments.iter().position(|argument| is(argument, "-a")).filter(|&at| at > 1) {
            return match (self.test(&arguments[..at]), self.test(&arguments[at + 1..])) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), other) => other,
                (None, _) => None,
            };
        }
        match arguments {
            [] => Some(false),
            [Some(not), rest @ ..] if not == "!" && !rest.is_empty() => self.test(rest).map(|status| !status),
            [text] => text.as_ref().map(|text| !text.is_empty()),
            [Some(operator), operand] => self.unary_test(operator, operand),
            [Some(left), Some(operator), Some(right)] => binary_test(left, operator, right),
            _ => None,
        }
    }

    fn unary_test(&self, operator: &str, operand: &Argument) -> Status {
        let operand = operand.as_deref()?;
        match operator {
            "-n" => Some(!operand.is_empty()),
            "-z" => Some(operand.is_empty()),
            "-t" => Some(false),
            "-e" | "-f" | "-d" | "-x" | "-r" | "-w" | "-s" => self.exists(operand),
            // Whether it is a link, and other kinds, is not known; but what is not there is none.
            "-L" | "-h" | "-S" | "-b" | "-c" | "-p" | "-u" | "-g" | "-k" => {
                self.exists(operand).filter(|exists| !exists)
            }
            _ => None,
        }
    }

    /// Whether a path exists on a new system, as far as it can be said.
    fn exists(&self, path: &str) -> Status {
        if path.is_empty() {
            return Some(false);
        }
        // What earlier versions, administrators and running systems leave; and what the script itself made is not looked up,
        // as it would have asked before.
        let stale = [
            ".dpkg-bak",
            ".dpkg-old",
            ".dpkg-new",
            ".dpkg-dist",
            ".dpkg-remove",
            ".dpkg-backup",
            ".dpkg-tmp",
            ".ucf-old",
            ".ucf-dist",
            ".distrib",
        ];
        let running = ["/run/", "/var/run/", "/proc/", "/sys/"];
        if stale.iter().any(|suffix| path.ends_with(suffix)) || running.iter().any(|folder| path.starts_with(folder)) {
            return Some(false);
        }
        // What debconf and debhelper's own programs are asked for before they are called.
        if path == "/usr/share/debconf/confmodule" {
            return Some(true);
        }
        if path.strip_prefix("/usr/bin/").is_some_and(|name| self.command_exists(name) == Some(true)) {
            return Some(true);
        }
        (self.script.exists)(path)
    }

    /// `dpkg --compare-versions left operator right`.
    pub(super) fn compare_versions(&self, arguments: &[Argument]) -> Status {
        let [Some(left), Some(operator), Some(right)] = arguments else {
            return None;
        };
        let (operator, empty_is_later) = match operator.strip_suffix("-nl") {
            Some(operator) => (operator, true),
            None => (operator.as_str(), false),
        };
        let order = match (left.is_empty(), right.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => {
                if empty_is_later {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (false, true) => {
                if empty_is_later {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (false, false) => version::compare(left, right),
        };
        Some(match operator {
            "lt" | "<<" => order.is_lt(),
            "le" | "<=" | "<" => order.is_le(),
            "eq" | "=" => order.is_eq(),
            "ne" => order.is_ne(),
            "ge" | ">=" | ">" => order.is_ge(),
            "gt" | ">>" => order.is_gt(),
            _ => return None,
        })
    }

    /// `getent passwd NAME`, `id NAME`: Debian's static accounts are there, others are not until the script makes them.
    pub(super) fn account_exists(&self, name: &Argument) -> Status {
        let name = name.as_deref()?;
        Some(ids::is_static(name) || self.accounts.contains(name))
    }
}

fn binary_test(left: &str, operator: &str, right: &str) -> Status {
    let numbers = || Some((left.parse::<i64>().ok()?, right.parse::<i64>().ok()?));
    Some(match operator {
        "=" | "==" => left == right,
        "!=" => left != right,
        "-eq" => numbers().map(|(left, right)| left == right)?,
        "-ne" => numbers().map(|(left, right)| left != right)?,
        "-lt" => numbers().map(|(left, right)| left < right)?,
        "-le" => numbers().map(|(left, right)| left <= right)?,
        "-gt" => numbers().map(|(left, right)| left > right)?,
        "-ge" => numbers().map(|(left, right)| left >= right)?,
        _ => return None,
    })
}
