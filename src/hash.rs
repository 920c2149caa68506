//! Turns bytes into the hexadecimal digests that dbt's names and artifacts hold.

use std::io::{self, Read};

use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

/// md5, as dbt uses it for names. Not for security.
pub fn md5(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

/// sha1, as dbt uses it for `package-lock.yml`. Not for security.
pub fn sha1(text: &str) -> String {
    hex(&Sha1::digest(text.as_bytes()))
}

pub fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// sha256 of something that may be too large to hold in memory.
pub fn sha256_of(mut reader: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

/// Bytes as hexadecimal digits, small ones.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn digests_are_lower_case_hexadecimal() {
        assert_eq!(super::md5("a"), "0cc175b9c0f1b6a831c399e269772661");
        assert!(super::sha256("a").starts_with("ca978112"));
    }
}
