//! The boot menu, seen on the serial console and steered with the keyboard.

use std::time::{Duration, Instant};

use qemu::Running;

use crate::Checks;

const BOOT: Duration = Duration::from_secs(300);
const MOMENT: Duration = Duration::from_secs(90);

/// Asks for a reboot and returns when the menu is on the screen.
pub fn reboot_to_menu(vm: &mut Running, checks: &mut Checks) {
    checks.succeeds(&mut vm.agent, "it is asked to reboot", "systemctl --no-block reboot");
    let menu =
        vm.console.wait_for("reboot: Restarting system", BOOT).and_then(|()| vm.console.wait_for("Boot in ", BOOT));
    checks.fact("the menu appears", menu.is_ok(), format!("{menu:?}"));
}

/// The entry that the menu highlights, as the serial console shows it: black on white.
pub fn highlighted(vm: &Running) -> String {
    let text = vm.console.text();
    let after = text.rsplit("\x1b[30m\x1b[47m").next().unwrap_or_default();
    after.split('\x1b').next().unwrap_or_default().trim().to_owned()
}

/// What the console shows since the menu appeared, without the terminal's controls.
fn menu_text(vm: &Running) -> String {
    let text = vm.console.text();
    let menu = text.rsplit("reboot: Restarting system").next().unwrap_or_default();
    menu.split('\x1b').map(|part| part.split_once(['H', 'm', 'J']).map_or("", |(_, text)| text)).collect()
}

/// Chooses an entry of the menu with the arrow keys; the first key stops the countdown.
pub fn choose(vm: &mut Running, wanted: &str, checks: &mut Checks) {
    let end = Instant::now() + MOMENT;
    while highlighted(vm) != wanted && Instant::now() < end {
        let before = vm.console.text().len();
        vm.qmp.press(&["down"]).expect("QEMU presses a key");
        let drawn = Instant::now() + Duration::from_secs(5);
        while vm.console.text().len() == before && Instant::now() < drawn {
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    // Whatever else is highlighted must not boot: the story would wait for it in vain.
    assert_eq!(highlighted(vm), wanted, "the menu has it; it shows {}", menu_text(vm));
    checks.fact("the keyboard moves in the menu", true, "");
    let picture = vm.screenshot("menu-chosen");
    checks.fact("the choice is photographed", picture.is_ok(), format!("{picture:?}"));
    vm.qmp.press(&["ret"]).expect("QEMU presses a key");
}
