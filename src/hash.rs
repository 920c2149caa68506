//! Turns bytes into the hexadecimal digests that dbt's names and artifacts hold.

use md5::{Digest, Md5};
use sha2::Sha256;

/// md5, as dbt uses it for names. Not for security.
pub fn md5(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

pub fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn digests_are_lower_case_hexadecimal() {
        assert_eq!(super::md5("a"), "0cc175b9c0f1b6a831c399e269772661");
        assert!(super::sha256("a").starts_with("ca978112"));
    }
}
