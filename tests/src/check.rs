//! Facts, checked one by one: a story reports all that do not hold, not the first.

use std::time::Duration;

use qemu::Agent;

/// Long enough for a command under emulation on a busy machine; what hangs is what this is for.
const COMMAND_DEADLINE: Duration = Duration::from_secs(120);

/// The facts of one story.
#[derive(Debug, Default)]
pub struct Checks {
    held: usize,
    failed: Vec<String>,
}

impl Checks {
    /// No facts yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A fact that was found out elsewhere.
    pub fn fact(&mut self, name: &str, holds: bool, seen: impl std::fmt::Display) {
        if holds {
            self.held += 1;
        } else {
            eprintln!("FAILED  {name}: {seen}");
            self.failed.push(format!("{name}\n    {}", seen.to_string().replace('\n', "\n    ")));
        }
    }

    /// A shell command in the guest succeeds.
    pub fn succeeds(&mut self, agent: &mut Agent, name: &str, script: &str) {
        match agent.succeed(script, COMMAND_DEADLINE) {
            Ok(_) => self.fact(name, true, ""),
            Err(error) => self.fact(name, false, error),
        }
    }

    /// A shell command in the guest fails.
    pub fn fails(&mut self, agent: &mut Agent, name: &str, script: &str) {
        match agent.run(script, COMMAND_DEADLINE) {
            Ok(output) => self.fact(name, output.status != 0, format!("`{script}` succeeded: {}", output.output)),
            Err(error) => self.fact(name, false, error),
        }
    }

    /// A shell command in the guest prints exactly this.
    pub fn prints(&mut self, agent: &mut Agent, name: &str, script: &str, expected: &str) {
        match agent.run(script, COMMAND_DEADLINE) {
            Ok(o) => {
                let seen = o.output.trim_end();
                self.fact(
                    name,
                    seen == expected,
                    format!("`{script}` printed `{seen}`, not `{expected}` {}", o.errors),
                );
            }
            Err(error) => self.fact(name, false, error),
        }
    }

    /// A shell command in the guest prints something with this in it.
    pub fn mentions(&mut self, agent: &mut Agent, name: &str, script: &str, expected: &str) {
        match agent.run(script, COMMAND_DEADLINE) {
            Ok(o) => {
                let seen = format!("{}{}", o.output, o.errors);
                self.fact(name, seen.contains(expected), format!("`{script}` printed `{seen}`, without `{expected}`"));
            }
            Err(error) => self.fact(name, false, error),
        }
    }

    /// Ends the story: fails when a fact does not hold.
    pub fn done(self) {
        assert!(
            self.failed.is_empty(),
            "{} of {} facts do not hold:\n- {}",
            self.failed.len(),
            self.held + self.failed.len(),
            self.failed.join("\n- ")
        );
        assert!(self.held > 0, "the story checked nothing");
        eprintln!("{} facts hold", self.held);
    }
}
