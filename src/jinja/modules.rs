//! Python's modules that dbt offers as `modules.…`: datetime, pytz, re, itertools; and YAML.

pub mod datetime;
pub mod itertools;
pub mod pytz;
pub mod re;
pub mod yaml;

use minijinja::Value;

use crate::jinja::functions::Group;

pub fn object() -> Value {
    Group::value(
        "modules",
        [
            ("datetime", datetime::module()),
            ("pytz", pytz::module()),
            ("re", re::module()),
            ("itertools", itertools::module()),
        ],
    )
}
