//! Turns a scalar without quotes into its value, by the rules of YAML 1.1.

use serde_json::Number;

use crate::yaml::Value;

/// A plain scalar by the rules of YAML 1.1 (<https://yaml.org/type/>), as PyYAML applies them.
pub fn read(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::String(text.to_string()), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        b'0'..=b'9' | b'.' => (1, text),
        _ => return None,
    };
    let first = digits.bytes().next()?;
    if !first.is_ascii_digit() && first != b'.' {
        return None;
    }
    let digits = digits.replace('_', "");
    let large = || digits.parse::<u64>().ok().filter(|_| sign == 1 && !digits.starts_with('0')).map(Number::from);
    integer(&digits).map(|value| Number::from(sign * value)).or_else(large).or_else(|| float(sign, &digits))
}

fn integer(digits: &str) -> Option<i64> {
    let radix = |text: &str, radix| i64::from_str_radix(text, radix).ok();
    if let Some(hex) = digits.strip_prefix("0x") {
        return radix(hex, 16);
    }
    if let Some(binary) = digits.strip_prefix("0b") {
        return radix(binary, 2);
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return radix(digits, 8);
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// PyYAML takes a number with an exponent as a float only if it has a point and a sign (`1.0e+5`).
fn float(sign: i64, digits: &str) -> Option<Number> {
    let (mantissa, exponent) = digits.split_once(['e', 'E']).map_or((digits, None), |(m, e)| (m, Some(e)));
    let signed = |exponent: &str| exponent.starts_with(['+', '-']) && exponent[1..].bytes().all(|b| b.is_ascii_digit());
    let plain = mantissa.contains('.') && mantissa.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !plain || mantissa == "." || !exponent.is_none_or(signed) {
        return None;
    }
    Number::from_f64(sign as f64 * digits.parse::<f64>().ok()?)
}
