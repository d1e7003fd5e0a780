//! Shell patterns as module aliases use them: `*`, `?`, `[a-z]`, `[!a]`. Source: fnmatch(3) without flags.

/// Whether the whole text matches the pattern.
///
/// Dashes and underscores are the same outside of brackets, as for modprobe. The time is at most the product of both
/// lengths.
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut position) = (0, 0);
    // Where to go on when the text does not match: after the last `*`, with one more byte given to it.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let rest = text.get(position..).unwrap_or_default();
        match (pattern.get(at), rest.first()) {
            (Some(b'*'), _) => {
                retry = Some((at + 1, position));
                at += 1;
                continue;
            }
            (None, None) => return true,
            (Some(_), Some(&byte)) => {
                if let Some(length) = match_one(&pattern[at..], byte) {
                    at += length;
                    position += 1;
                    continue;
                }
            }
            (None, Some(_)) | (Some(_), None) => {}
        }
        match retry {
            Some((after_star, start)) if start < text.len() => {
                retry = Some((after_star, start + 1));
                at = after_star;
                position = start + 1;
            }
            _ => return false,
        }
    }
}

/// The length of the pattern's first element if it matches this byte.
fn match_one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'[', rest @ ..] => match_set(rest, byte).map(|length| length + 1),
        [first, ..] => (same(*first) == same(byte)).then_some(1),
        [] => None,
    }
}

/// The length of the set after its `[` if it contains this byte.
fn match_set(set: &[u8], byte: u8) -> Option<usize> {
    let negated = matches!(set.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    // A `]` that comes first is a member.
    let end = start + 1 + set.get(start + 1..)?.iter().position(|&byte| byte == b']')?;
    let members = &set[start..end];
    let mut contains = false;
    let mut at = 0;
    while at < members.len() {
        match members[at..] {
            [low, b'-', high, ..] => {
                contains |= (low..=high).contains(&byte);
                at += 3;
            }
            [member, ..] => {
                contains |= member == byte;
                at += 1;
            }
            [] => break,
        }
    }
    (contains != negated).then_some(end + 1)
}

const fn same(byte: u8) -> u8 {
    match byte {
        b'-' => b'_',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_what_the_kernel_and_depmod_write() {
        let yes = [
            ("virtio:d00000002v*", "virtio:d00000002v00001AF4"),
            ("pci:v*d*sv*sd*bc01sc08i02*", "pci:v00008086d00005845sv00001AF4sd00001100bc01sc08i02"),
            ("acpi*:PNP0A08:*", "acpi:PNP0A08:PNP0A03:"),
            ("fs-ext4", "fs_ext4"),
            ("usb:v05ACp026[9A-F]d*", "usb:v05ACp026Bd0001"),
            ("a[!b]c", "axc"),
            ("a[]]c", "a]c"),
            ("*", ""),
            ("a*b*c", "aXbXbYc"),
            ("?", "x"),
        ];
        for (pattern, text) in yes {
            assert!(glob_matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        let no = [
            ("virtio:d00000002v*", "virtio:d00000001v00001AF4"),
            ("a*b", "a"),
            ("", "a"),
            ("a", ""),
            ("a[b-d]", "ae"),
            ("a[!b]", "ab"),
            ("a[b", "ab"),
            ("?", ""),
        ];
        for (pattern, text) in no {
            assert!(!glob_matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        assert!(!glob_matches(&"a*".repeat(40), &"a".repeat(39)));
    }
}
