//! What a disk says to a machine whose firmware is a BIOS: the boot code of its protective MBR prints one message and stops.
//!
//! Without it such a machine says that there is no system, or nothing at all. A BIOS loads the sector to 0x7C00 and jumps to
//! it in 16-bit mode; firmware that is UEFI never runs it. Sources: Intel's manual, volume 2, for the encodings; the
//! interrupt list of the PC's BIOS, interrupt 10h, function 0Eh (print one character).

/// Room for boot code in an MBR, in front of the disk's signature and the partitions.
const ROOM_BYTES: usize = 440;

/// Prints the bytes behind itself up to a zero, then waits for ever.
const PRINT: [u8; 25] = [
    0x31, 0xc0, // xor ax, ax
    0x8e, 0xd8, // mov ds, ax
    0xfc, // cld
    0xbe, 0x19, 0x7c, // mov si, 7C00h + the length of this: MESSAGE
    0xac, // next: lodsb
    0x84, 0xc0, // test al, al
    0x74, 0x09, // jz stop
    0xb4, 0x0e, // mov ah, 0Eh
    0xbb, 0x07, 0x00, // mov bx, 7: page 0, light grey
    0xcd, 0x10, // int 10h
    0xeb, 0xf2, // jmp next
    0xf4, // stop: hlt
    0xeb, 0xfd, // jmp stop
];

const MESSAGE: &[u8] = b"\r\nThis disk starts by UEFI, and this machine is starting it as a BIOS does.\r\n\
Choose UEFI in the firmware's setup (not CSM, not legacy boot); a virtual\r\nmachine needs UEFI firmware such as OVMF.\r\n\0";

const _: () = assert!(PRINT.len() == 0x19, "the code has its own length in it");
const _: () = assert!(PRINT.len() + MESSAGE.len() <= ROOM_BYTES, "code and message fit the MBR");

/// The boot code, with nothing behind the message.
pub(crate) fn boot_code() -> [u8; ROOM_BYTES] {
    let mut code = [0; ROOM_BYTES];
    code[..PRINT.len()].copy_from_slice(&PRINT);
    code[PRINT.len()..][..MESSAGE.len()].copy_from_slice(MESSAGE);
    code
}
