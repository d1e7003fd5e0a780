//! Debian's real signature, and what must not pass for one.

use super::*;

/// trixie-security as Debian signed it on 17 November 2026.
const REAL: &str = include_str!("data/trixie-security.InRelease");
/// A week after that.
const NOW: u64 = 1_795_600_000;

#[test]
fn accepts_what_debian_signed() {
    let text = Keyring::debian().unwrap().verify(REAL, NOW).unwrap();
    assert!(text.starts_with("Origin: Debian\n"), "{}", &text[..40]);
    assert_eq!(deb_formats::release::Release::parse(&text).unwrap().codename, "trixie-security");
}

#[test]
fn rejects_an_altered_text() {
    let altered = REAL.replacen("Origin: Debian", "Origin: debian", 1);
    let error = Keyring::debian().unwrap().verify(&altered, NOW).unwrap_err();
    assert!(matches!(error, SignatureError::Untrusted { .. }), "{error:?}");
    assert!(
        error.to_string().starts_with("none of its signatures is a valid one by a trusted archive key (signed by: ")
    );
}

#[test]
fn rejects_a_signature_by_a_stranger() {
    let stable = Keyring::parse(&[include_str!("../../keys/debian-archive-trixie-stable.asc")]).unwrap();
    assert!(matches!(stable.verify(REAL, NOW), Err(SignatureError::Untrusted { .. })));
}

#[test]
fn rejects_an_expired_key() {
    let in_2040 = 2_208_988_800;
    assert!(matches!(Keyring::debian().unwrap().verify(REAL, in_2040), Err(SignatureError::Untrusted { .. })));
}

#[test]
fn rejects_a_text_without_signature() {
    let keyring = Keyring::debian().unwrap();
    for text in ["", "Origin: Debian\n", &format!("Origin: Other\n{REAL}"), &REAL[..REAL.len() / 2]] {
        assert!(matches!(keyring.verify(text, NOW), Err(SignatureError::Unsigned(_))), "{text:.30}");
    }
}

#[test]
fn text_after_the_signature_is_not_believed() {
    let appended = format!("{REAL}\nOrigin: Other\n");
    if let Ok(text) = Keyring::debian().unwrap().verify(&appended, NOW) {
        assert!(!text.contains("Other"));
    }
}
