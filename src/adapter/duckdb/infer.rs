//! Turns the texts of a CSV column into a type, by dbt's rules for seeds.
//!
//! Where dbt finds a type that DuckDB then cannot load the column as, dbt fails; here the column stays text.

use chrono::NaiveDate;

/// What is known of a column after the values so far.
#[derive(Debug, Clone)]
pub struct Guess {
    number: bool,
    date: bool,
    date_time: bool,
    iso_date_time: bool,
    boolean: bool,
    /// A number was not whole, so that the column holds floats.
    fraction: bool,
    /// A number is only good for a column of floats, for instance `NaN`.
    float_only: bool,
    /// A whole number that needs 64 bits.
    big: bool,
    /// The first text that a value of the type would not print.
    changed_as_whole: Option<String>,
    changed_as_float: Option<String>,
    changed: Option<String>,
}

impl Guess {
    pub fn new() -> Guess {
        Guess {
            number: true,
            date: true,
            date_time: true,
            iso_date_time: true,
            boolean: true,
            fraction: false,
            float_only: false,
            big: false,
            changed_as_whole: None,
            changed_as_float: None,
            changed: None,
        }
    }

    pub fn see(&mut self, raw: &str) {
        if raw.is_empty() {
            return;
        }
        let text = raw.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
        if self.number {
            self.see_number(raw, text);
        }
        let mut unchanged = false;
        if self.date {
            self.date = is_date(text);
            unchanged |= self.date && raw.len() == "2024-01-31".len();
        }
        if self.date_time {
            self.date_time =
                text.split_once(' ').is_some_and(|(date, time)| is_date(date) && is_time(time.trim_start()));
            unchanged |= self.date_time && raw.len() == "2024-01-31 10:20:30".len();
        }
        if self.iso_date_time {
            let zone = text.split_once('T').and_then(|(date, time)| if is_date(date) { iso_zone(time) } else { None });
            self.iso_date_time = zone.is_some();
            let fraction = raw.split_once('.').map(|(_, fraction)| fraction);
            let is_kept = fraction.is_none_or(|fraction| fraction.len() <= 6 && !fraction.ends_with('0'));
            unchanged |= zone == Some("") && is_kept && raw.len() >= "2024-01-31T10:20:30".len();
        }
        if self.boolean {
            self.boolean = raw.eq_ignore_ascii_case("true") || raw.eq_ignore_ascii_case("false");
            // `True` means the same as `true`: only the spelling changes.
            unchanged |= self.boolean;
        }
        if !unchanged && self.changed.is_none() {
            self.changed = Some(raw.to_string());
        }
    }

    fn see_number(&mut self, raw: &str, text: &str) {
        let first = |slot: &mut Option<String>, unchanged: bool| {
            if !unchanged && slot.is_none() {
                *slot = Some(raw.to_string());
            }
        };
        match Number::read(text) {
            None => self.number = false,
            Some(Number::NotFinite) => {
                self.float_only = true;
                first(&mut self.changed_as_float, false);
            }
            Some(Number::Finite { whole, value }) => {
                first(&mut self.changed_as_float, is_same_number(raw, value));
                match whole {
                    None => self.fraction = true,
                    Some(whole) => {
                        let plain = raw == whole.to_string();
                        let small = i32::try_from(whole).is_ok();
                        self.big |= !small;
                        // A large number in an odd notation is rather a name, such as `29051_00040`.
                        self.float_only |= i64::try_from(whole).is_err() || (!small && !plain);
                        first(&mut self.changed_as_whole, plain);
                    }
                }
            }
        }
    }

    /// The type, and the first text that it changes.
    pub fn finish(self) -> (&'static str, Option<String>) {
        match self {
            Guess { number: true, fraction: true, .. } => ("DOUBLE", self.changed_as_float),
            Guess { number: true, fraction: false, float_only: false, big, .. } => {
                (if big { "BIGINT" } else { "INTEGER" }, self.changed_as_whole)
            }
            Guess { date: true, .. } => ("DATE", self.changed),
            Guess { date_time: true, .. } | Guess { iso_date_time: true, .. } => ("TIMESTAMP", self.changed),
            Guess { boolean: true, .. } => ("BOOLEAN", self.changed),
            _ => ("VARCHAR", None),
        }
    }
}

/// Whether a text is the number's own notation. Zeros at the end of a fraction do not count: `1.50` is 1.5.
fn is_same_number(raw: &str, value: f64) -> bool {
    let short = if raw.contains('.') { raw.trim_end_matches('0').trim_end_matches('.') } else { raw };
    short == format!("{value}") || raw == format!("{value:?}")
}

/// A text that both dbt and DuckDB take for a number.
#[derive(Debug, PartialEq)]
enum Number {
    NotFinite,
    /// `whole` is the number if it is whole.
    Finite {
        whole: Option<i128>,
        value: f64,
    },
}

impl Number {
    fn read(text: &str) -> Option<Number> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        if ["nan", "inf", "infinity"].iter().any(|word| unsigned.eq_ignore_ascii_case(word)) {
            return Some(Number::NotFinite);
        }
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let (before, after, exponent) = (digits(before)?, digits(after)?, exponent.parse().ok()?);
        if before.len() + after.len() == 0 {
            return None;
        }
        let value: f64 = text.replace('_', "").parse().ok().filter(|value: &f64| value.is_finite())?;
        let whole = whole(&before, &after, exponent).map(|whole| if text.starts_with('-') { -whole } else { whole });
        // A whole number that no integer type of the engine holds.
        let too_large = whole.is_none() && value.abs() > 1e36;
        (!too_large).then_some(Number::Finite { whole, value })
    }
}

/// Digits without the underscores that may stand between them.
fn digits(text: &str) -> Option<String> {
    let grouped = text.is_empty() || text.split('_').all(|group| !group.is_empty());
    let digits = text.replace('_', "");
    (grouped && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// `digits.after` times ten to the power of `exponent`, if that is whole.
fn whole(digits: &str, after: &str, exponent: i32) -> Option<i128> {
    let all = format!("{digits}{after}");
    let significant = all.trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let zeros = (all.len() - significant.len()) as i64 - after.len() as i64 + i64::from(exponent);
    let power = 10_i128.checked_pow(u32::try_from(zeros).ok()?)?;
    significant.parse::<i128>().ok()?.checked_mul(power)
}

/// `2024-1-31`: four digits of a year, and a day that there is.
fn is_date(text: &str) -> bool {
    let parts = text.split('-').collect::<Vec<_>>();
    let [year, month, day] = parts[..] else {
        return false;
    };
    let number = |text: &str, longest: usize| {
        (!text.is_empty() && text.len() <= longest && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<u32>().ok())
            .flatten()
    };
    let (Some(month), Some(day), Ok(year), 4) = (number(month, 2), number(day, 2), year.parse::<u16>(), year.len())
    else {
        return false;
    };
    year > 0 && NaiveDate::from_ymd_opt(year.into(), month, day).is_some()
}

/// `1:02:03`.
fn is_time(text: &str) -> bool {
    let parts = text.split(':').collect::<Vec<_>>();
    let below = |text: &str, limit: u8| {
        text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse().is_ok_and(|n: u8| n < limit)
    };
    matches!(parts[..], [hour, minute, second] if below(hour, 24) && below(minute, 60) && below(second, 60))
}

/// The offset at the end of a time such as `10:20:30.5+02:00`, maybe empty; none if it is no such time.
fn iso_zone(text: &str) -> Option<&str> {
    let (time, zone) = text.split_at(text.find(['Z', '+', '-']).unwrap_or(text.len()));
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let is_fraction = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let digits = zone.get(1..).unwrap_or_default().replacen(':', "", 1);
    let is_offset = (digits.len() == 2 || digits.len() == 4) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_zone = zone.is_empty() || zone == "Z" || (!zone.starts_with('Z') && is_offset);
    let is_clock = match clock.len() {
        5 => !time.contains('.') && is_time(&format!("{clock}:00")),
        8 => is_time(clock),
        _ => false,
    };
    (is_clock && is_fraction && is_zone).then_some(zone)
}
