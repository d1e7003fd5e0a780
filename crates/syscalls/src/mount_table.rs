//! The fields of fstab(5) and of `/proc/PID/mountinfo` (proc_pid_mountinfo(5)): both are split at blanks, and both write a
//! blank, a tab, a newline or a backslash within a field as a backslash and three octal digits.

/// A field as it was meant. A backslash that no three octal digits follow stands for itself.
pub fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if *first == b'\\' => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_octal_digits_are_a_byte_and_less_is_itself() {
        assert_eq!(unescape(br"/mnt/a\040b\134c"), br"/mnt/a b\c");
        assert_eq!(unescape(br"C:\new\04"), br"C:\new\04");
    }
}
