//! Turns the settings of a microbatch model and a span of time into batches: windows that are built one by one.
//!
//! All times are UTC. Source of the rules: <https://docs.getdbt.com/docs/build/incremental-microbatch>.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Duration, Months, NaiveDate, NaiveDateTime, Timelike, Utc};
use serde_json::{Value as Json, json};

use crate::adapter::relation::TimeFilter;
use crate::manifest::microbatch::{BatchSize, Settings};

/// A window of event time: from its start up to, and without, its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Batch {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
    pub size: BatchSize,
}

/// What a command says about the batches of its models.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `--event-time-start` and `--event-time-end`.
    pub window: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// `--sample`: of every input, only the rows of this time are read.
    pub sample: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Batches reach up to this moment where no window is given; the start of the run that is retried, or of this one.
    pub until: Option<DateTime<Utc>>,
    /// Models of the run that is retried of which a part of the batches is built: only the others are built now.
    pub earlier: BTreeMap<String, Progress>,
}

/// How the batches of a model have ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    pub successful: Vec<Batch>,
    pub failed: Vec<Batch>,
}

impl Batch {
    /// `model.batch.id`: `20240131`.
    pub fn id(&self) -> String {
        self.name().replace('-', "")
    }

    /// The start, as fine as the batch is large: `2024-01-31`.
    pub fn name(&self) -> String {
        let format = match self.size {
            BatchSize::Hour => "%Y-%m-%dT%H",
            BatchSize::Day => "%Y-%m-%d",
            BatchSize::Month => "%Y-%m",
            BatchSize::Year => "%Y",
        };
        self.start.format(format).to_string()
    }

    /// The rows of a relation that belong to the batch.
    pub fn filter(&self, column: &str) -> TimeFilter {
        filter(column, self.start, self.end)
    }

    /// The part of the batch that is in a sample too.
    pub fn sampled(self, (start, end): (DateTime<Utc>, DateTime<Utc>)) -> Batch {
        Batch { start: self.start.max(start), end: self.end.min(end), ..self }
    }

    /// `model.batch`.
    pub fn json(&self) -> Json {
        json!({"id": self.id(), "event_time_start": shown(self.start), "event_time_end": shown(self.end)})
    }
}

/// The rows of a relation from a time up to, and without, another.
pub fn filter(column: &str, start: DateTime<Utc>, end: DateTime<Utc>) -> TimeFilter {
    TimeFilter { column: column.to_string(), start: shown(start), end: shown(end) }
}

/// As Python prints it.
fn shown(time: DateTime<Utc>) -> String {
    let format =
        if time.timestamp_subsec_micros() == 0 { "%Y-%m-%d %H:%M:%S+00:00" } else { "%Y-%m-%d %H:%M:%S%.6f+00:00" };
    time.format(format).to_string()
}

/// The batches that a run builds, in order. A model that is built from nothing starts at its `begin`; one that is
/// there already, `lookback` batches before the last.
pub fn batches(settings: &Settings, request: &Request, now: DateTime<Utc>, is_incremental: bool) -> Vec<Batch> {
    let size = settings.batch_size;
    let end = ceiling(request.window.map(|(_, end)| end).or(request.until).unwrap_or(now), size);
    let first = match request.window {
        Some((start, _)) => floor(start, size),
        None if !is_incremental => floor(settings.begin, size),
        // The end is the start of a batch that is not built: one more step back.
        None => step(end, size, -(settings.lookback + 1)),
    };
    let mut batches = vec![Batch { start: first, end: step(first, size, 1), size }];
    while let Some(last) = batches.last().filter(|last| last.end < end) {
        batches.push(Batch { start: last.end, end: step(last.end, size, 1), size });
    }
    batches.iter_mut().last().into_iter().for_each(|last| last.end = end);
    batches
}

/// Batches with those that some moments are in. Nothing before `begin` is built.
pub fn with_touched(mut batches: Vec<Batch>, touched: &[DateTime<Utc>], settings: &Settings) -> Vec<Batch> {
    let size = settings.batch_size;
    for start in touched.iter().map(|moment| floor(*moment, size)).filter(|start| *start >= floor(settings.begin, size))
    {
        if !batches.iter().any(|batch| batch.start == start) {
            batches.push(Batch { start, end: step(start, size, 1), size });
        }
    }
    batches.sort();
    batches
}

/// The start of the batch that a moment is in.
fn floor(time: DateTime<Utc>, size: BatchSize) -> DateTime<Utc> {
    let date = match size {
        BatchSize::Hour | BatchSize::Day => time.date_naive(),
        BatchSize::Month => first_of(time.year(), time.month()),
        BatchSize::Year => first_of(time.year(), 1),
    };
    let hour = if size == BatchSize::Hour { time.hour() } else { 0 };
    at(date) + Duration::hours(i64::from(hour))
}

/// The moment itself if a batch starts there, else the start of the next.
fn ceiling(time: DateTime<Utc>, size: BatchSize) -> DateTime<Utc> {
    let start = floor(time, size);
    if start == time { time } else { step(start, size, 1) }
}

/// So many batches later than the one that a moment is in; earlier, if the number is negative.
fn step(time: DateTime<Utc>, size: BatchSize, count: i64) -> DateTime<Utc> {
    let start = floor(time, size);
    let months = |each: u32| {
        let months = Months::new(u32::try_from(count.unsigned_abs()).unwrap_or(u32::MAX).saturating_mul(each));
        let moved = if count < 0 { start.checked_sub_months(months) } else { start.checked_add_months(months) };
        moved.unwrap_or(start)
    };
    match size {
        BatchSize::Hour => start + Duration::hours(count),
        BatchSize::Day => start + Duration::days(count),
        BatchSize::Month => months(1),
        BatchSize::Year => months(12),
    }
}

fn first_of(year: i32, month: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, 1).unwrap_or_default()
}

fn at(date: NaiveDate) -> DateTime<Utc> {
    NaiveDateTime::from(date).and_utc()
}

#[cfg(test)]
mod tests {
    use super::{Request, batches};
    use crate::manifest::microbatch::{BatchSize, Settings, moment};

    fn names(size: BatchSize, window: Option<(&str, &str)>, now: &str, is_incremental: bool) -> Vec<String> {
        let settings = Settings { batch_size: size, begin: moment("2024-02-03").unwrap(), lookback: 1 };
        let window = window.map(|(start, end)| (moment(start).unwrap(), moment(end).unwrap()));
        let request = Request { window, ..Request::default() };
        let batches = batches(&settings, &request, moment(now).unwrap(), is_incremental);
        batches.iter().map(|batch| format!("{}..{}", batch.name(), batch.end.format("%m-%dT%H"))).collect()
    }

    #[test]
    fn a_first_run_starts_at_begin_and_a_later_one_looks_back() {
        let now = "2024-02-05T06:00:00";
        assert_eq!(
            names(BatchSize::Day, None, now, false),
            ["2024-02-03..02-04T00", "2024-02-04..02-05T00", "2024-02-05..02-06T00"]
        );
        assert_eq!(names(BatchSize::Day, None, now, true), ["2024-02-04..02-05T00", "2024-02-05..02-06T00"]);
        assert_eq!(names(BatchSize::Month, None, now, true), ["2024-01..02-01T00", "2024-02..03-01T00"]);
        assert_eq!(names(BatchSize::Year, None, now, false), ["2024..01-01T00"]);
        assert_eq!(
            names(BatchSize::Hour, None, "2024-02-03T02:00:00", false),
            ["2024-02-03T00..02-03T01", "2024-02-03T01..02-03T02"]
        );
    }

    #[test]
    fn a_window_is_rounded_to_whole_batches() {
        let window = Some(("2024-01-30 13:00:00", "2024-02-01"));
        let now = "2030-01-01";
        assert_eq!(names(BatchSize::Day, window, now, true), ["2024-01-30..01-31T00", "2024-01-31..02-01T00"]);
        assert_eq!(names(BatchSize::Month, window, now, false), ["2024-01..02-01T00"]);
    }
}
