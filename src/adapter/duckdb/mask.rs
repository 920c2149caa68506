//! Turns the `mask_key` of a profile into the two variables of a connection from which SQL makes an HMAC, so that no
//! statement has the key. Source: RFC 2104.

use crate::adapter::AdapterError;

/// What a block of sha256 has room for.
const BLOCK: usize = 64;

/// The statements that set the variables. A key that could be guessed is refused.
pub fn variables(key: &str) -> Result<Vec<String>, AdapterError> {
    if !(16..=BLOCK).contains(&key.len()) {
        return Err(AdapterError::Connect(format!("the key `mask_key` of the profile has not 16 to {BLOCK} bytes")));
    }
    let padded = |pad: u8| -> String {
        let bytes = key.bytes().chain(std::iter::repeat(0)).take(BLOCK);
        bytes.map(|byte| format!("{:02x}", byte ^ pad)).collect()
    };
    let variable = |(name, pad)| format!("set variable {name} = unhex('{}')", padded(pad));
    Ok([("medal_mask_inner", 0x36), ("medal_mask_outer", 0x5c)].map(variable).into())
}
