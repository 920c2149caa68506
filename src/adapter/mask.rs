//! Turns the `mask_key` of a profile into what an engine makes an HMAC of, so that no statement has the key. Source: RFC
//! 2104.

use sha2::{Digest, Sha256};

use crate::adapter::AdapterError;
use crate::hash::hex;

/// What a block of sha256 has room for.
const BLOCK: usize = 64;

/// A key, which nothing prints.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MaskKey {
    inner: [u8; BLOCK],
    outer: [u8; BLOCK],
}

impl MaskKey {
    /// A key that could be guessed is refused.
    pub fn new(key: &str) -> Result<MaskKey, AdapterError> {
        if !(16..=BLOCK).contains(&key.len()) {
            return Err(AdapterError::Connect(format!(
                "the key `mask_key` of the profile has not 16 to {BLOCK} bytes"
            )));
        }
        let padded = |pad: u8| {
            let mut block = [pad; BLOCK];
            block.iter_mut().zip(key.bytes()).for_each(|(place, byte)| *place ^= byte);
            block
        };
        Ok(MaskKey { inner: padded(0x36), outer: padded(0x5c) })
    }

    /// The statements that set DuckDB's variables `medal_mask_inner` and `medal_mask_outer`.
    pub fn variables(&self) -> [String; 2] {
        let set = |name: &str, block: &[u8]| format!("set variable {name} = unhex('{}')", hex(block));
        [set("medal_mask_inner", &self.inner), set("medal_mask_outer", &self.outer)]
    }

    /// The HMAC of a text, in hexadecimal digits.
    pub fn hash(&self, text: &str) -> String {
        let inner = Sha256::new().chain_update(self.inner).chain_update(text).finalize();
        hex(&Sha256::new().chain_update(self.outer).chain_update(inner).finalize())
    }
}

impl std::fmt::Debug for MaskKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MaskKey(***)")
    }
}
