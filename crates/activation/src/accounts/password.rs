//! Hashing of passwords that are declared in clear text (`password`, `initialPassword`): SHA-512 crypt (`$6$`), which
//! every libcrypt reads. Hashes given by the configuration never come through here.

use std::io::Read;

use fs_err as fs;
use sha_crypt::{Sha512Params, sha512_crypt_b64};

const SALT_LENGTH: usize = 16;
const SALT_ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Why a password could not be hashed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// No randomness from the kernel.
    #[error("failed to make a salt")]
    Salt(#[source] std::io::Error),
    /// The hash function refused its input.
    #[error("failed to hash the declared password of `{user}`")]
    Hash {
        /// Whose.
        user: String,
    },
}

/// Where salts come from: the kernel, or a fixed list in tests.
pub trait SaltSource {
    /// Sixteen characters of crypt's alphabet.
    fn salt(&mut self) -> Result<String, PasswordError>;
}

/// The kernel's random numbers.
#[derive(Debug, Default)]
pub struct RandomSalts;

impl SaltSource for RandomSalts {
    fn salt(&mut self) -> Result<String, PasswordError> {
        let mut bytes = [0_u8; SALT_LENGTH];
        let mut device = fs::File::open("/dev/urandom").map_err(PasswordError::Salt)?;
        device.read_exact(&mut bytes).map_err(PasswordError::Salt)?;
        Ok(bytes.iter().map(|byte| char::from(SALT_ALPHABET[usize::from(byte % 64)])).collect())
    }
}

/// Hashes a declared password. An `existing` hash of the same password is answered as it is: activating twice changes
/// nothing.
pub(crate) fn hash(
    user: &str,
    password: &str,
    existing: Option<&str>,
    salts: &mut dyn SaltSource,
) -> Result<String, PasswordError> {
    let failed = || PasswordError::Hash { user: user.to_owned() };
    if let Some(old) = existing {
        if let Some(salt) = old.strip_prefix("$6$").and_then(|rest| rest.split_once('$')).map(|(salt, _)| salt) {
            if sha512(password, salt).as_deref() == Some(old) {
                return Ok(old.to_owned());
            }
        }
    }
    sha512(password, &salts.salt()?).ok_or_else(failed)
}

fn sha512(password: &str, salt: &str) -> Option<String> {
    let encoded = sha512_crypt_b64(password.as_bytes(), salt.as_bytes(), &Sha512Params::default()).ok()?;
    Some(format!("$6${salt}${encoded}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Compares with libcrypt itself, through perl's `crypt`.
    fn libcrypt(password: &str, salt: &str) -> String {
        let program = "print crypt($ARGV[0], $ARGV[1])";
        let output = Command::new("perl")
            .args(["-e", program, password, &format!("$6${salt}$")])
            .output()
            .expect("this test needs `perl` (Debian: perl)");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn hashes_are_those_of_libcrypt() {
        for (password, salt) in [("secret", "abcdefghijklmnop"), ("", "./"), ("pä ss:w0rd", "Zz9./Zz9./Zz9./Z")] {
            assert_eq!(sha512(password, salt).unwrap(), libcrypt(password, salt), "{password:?} {salt:?}");
        }
    }

    #[test]
    fn a_matching_hash_is_kept_and_another_is_replaced() {
        let first = hash("demo", "one", None, &mut RandomSalts).unwrap();
        assert_eq!(hash("demo", "one", Some(&first), &mut RandomSalts).unwrap(), first);
        let second = hash("demo", "two", Some(&first), &mut RandomSalts).unwrap();
        assert_ne!(second, first);
        assert_eq!(second.split('$').nth(2).unwrap().len(), SALT_LENGTH);
    }
}
