//! Turns `--sample` into a span of event time.
//!
//! Source of the rules: <https://docs.getdbt.com/docs/build/sample-flag>.

use chrono::{DateTime, Datelike, Duration, Months, Utc};
use clap::Args;
use serde_json::Value as Json;

use crate::manifest::microbatch::{BatchSize, moment};
use crate::yaml;

#[derive(Debug, Clone, Copy, Default, Args)]
pub struct SampleOptions {
    /// Read only rows of this time from refs and sources: `3 days`, or `{start: 2024-01-01, end: 2024-01-08}`
    #[arg(long, env = "DBT_SAMPLE", value_name = "SPAN", value_parser = Sample::parse, hide_env = true)]
    pub sample: Option<Sample>,
}

/// The time that a command reads rows of: from its start up to, and without, its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

impl Sample {
    /// A span in words, which ends now, or a mapping of two times.
    fn parse(text: &str) -> Result<Sample, String> {
        let sample = if text.trim_start().starts_with('{') { between(text)? } else { until(text, Utc::now())? };
        if sample.start < sample.end { Ok(sample) } else { Err("the start must lie before the end".to_string()) }
    }
}

const FORMS: &str = "a span is written as `3 days` (hours, days, months, years) or as \
                     `{start: 2024-01-01, end: 2024-01-08}`";

fn until(text: &str, end: DateTime<Utc>) -> Result<Sample, String> {
    let parts = text.split_once(' ').and_then(|(count, size)| {
        let size = size.to_lowercase();
        Some((count.parse::<u32>().ok()?, BatchSize::from_name(size.trim_end_matches('s'))?))
    });
    let (count, size) = parts.ok_or(FORMS)?;
    let months = |each: u32| end.checked_sub_months(Months::new(count.saturating_mul(each)));
    let start = match size {
        BatchSize::Hour => end.checked_sub_signed(Duration::hours(i64::from(count))),
        BatchSize::Day => end.checked_sub_signed(Duration::days(i64::from(count))),
        BatchSize::Month => months(1),
        BatchSize::Year => months(12),
    };
    let start = start.filter(|start| start.year() > 0).ok_or("the span reaches beyond the year 1")?;
    Ok(Sample { start, end })
}

fn between(text: &str) -> Result<Sample, String> {
    let map = yaml::parse_json(text).map_err(|error| format!("the span cannot be read: {error}"))?;
    let time = |key: &str| map.get(key).and_then(Json::as_str).and_then(moment);
    match (time("start"), time("end")) {
        (Some(start), Some(end)) => Ok(Sample { start, end }),
        _ => Err(FORMS.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Sample, until};
    use crate::manifest::microbatch::moment;

    #[test]
    fn a_span_in_words_ends_now() {
        let end = moment("2024-03-31T12:00:00").unwrap();
        let start = |text: &str| until(text, end).map(|sample| sample.start);
        assert_eq!(start("3 days"), Ok(moment("2024-03-28T12:00:00").unwrap()));
        assert_eq!(start("1 Hour"), Ok(moment("2024-03-31T11:00:00").unwrap()));
        assert_eq!(start("1 month"), Ok(moment("2024-02-29T12:00:00").unwrap()));
        assert_eq!(start("2 years"), Ok(moment("2022-03-31T12:00:00").unwrap()));
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in
            ["", "3", "3 weeks", "x days", "-1 days", "0 days", "99999 years", "{start: 2024-01-01}", "{start: [}"]
        {
            assert!(Sample::parse(text).is_err(), "{text}");
        }
        assert!(Sample::parse("{start: 2024-01-02, end: 2024-01-01}").is_err());
        assert!(Sample::parse("{'start': '2024-01-01', 'end': '2024-01-02 12:30:00'}").is_ok());
    }
}
