//! systemd-boot's menu as the serial console shows it, and the keyboard that moves in it.

use std::time::{Duration, Instant};

use qemu::Running;

use crate::Checks;

/// How long a choice may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// The entry that the menu highlights: black on white.
pub fn highlighted(vm: &Running) -> String {
    let text = vm.console.text();
    let after = text.rsplit("\x1b[30m\x1b[47m").next().unwrap_or_default();
    after.split('\x1b').next().unwrap_or_default().trim().to_owned()
}

/// Chooses an entry of the menu with the arrow keys; the first key stops the countdown.
pub fn choose(vm: &mut Running, wanted: &str, checks: &mut Checks) {
    let end = Instant::now() + PATIENCE;
    while highlighted(vm) != wanted && Instant::now() < end {
        let before = vm.console.text().len();
        vm.qmp.press(&["down"]).expect("QEMU presses a key");
        let drawn = Instant::now() + Duration::from_secs(5);
        while vm.console.text().len() == before && Instant::now() < drawn {
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    let selected = highlighted(vm);
    checks.fact("the keyboard moves in the menu", selected == wanted, selected);
    let picture = vm.screenshot("menu-chosen");
    checks.fact("the choice is photographed", picture.is_ok(), format!("{picture:?}"));
    vm.qmp.press(&["ret"]).expect("QEMU presses a key");
}
