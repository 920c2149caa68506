//! Turns texts such as `1.3.0` and `>=1.0.0` into versions and requirements on them, by dbt's rules.
//!
//! They are those of semver.org, with one exception: `<1.0.0` also leaves out the pre-releases of 1.0.0.
//! Source: <https://docs.getdbt.com/docs/build/packages#how-do-i-specify-a-package>.

use std::cmp::Ordering;
use std::fmt;

/// The version of dbt whose behaviour medal has: packages say which ones they work with.
pub const DBT_VERSION: Version = Version { numbers: [1, 11, 16], pre: String::new() };

/// A version, without its build metadata: that counts nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub numbers: [u64; 3],
    /// `rc1` in `1.3.0-rc1`; empty for a release.
    pub pre: String,
}

/// What a version must be, for instance at least 1.0.0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    relation: Relation,
    pub version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Less,
    AtMost,
    Exactly,
    AtLeast,
    More,
}

impl Version {
    /// `None` unless the text has three numbers without zeros before them, and then what semver.org allows.
    pub fn parse(text: &str) -> Option<Version> {
        let text = text.split_once('+').map_or(text, |(version, _)| version);
        let digits = |text: &str| text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        let mut parts = text.splitn(3, '.');
        let (major, minor, rest) = (parts.next()?, parts.next()?, parts.next()?);
        let (patch, pre) = rest.split_at(digits(rest));
        let pre = if pre.len() > 1 { pre.strip_prefix('-').unwrap_or(pre) } else { pre };
        let numbers = [number(major)?, number(minor)?, number(patch)?];
        let tag =
            |tag: &str| tag.chars().any(|c| c != '-') && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        (pre.is_empty() || pre.split('.').all(tag)).then(|| Version { numbers, pre: pre.to_string() })
    }

    pub fn is_prerelease(&self) -> bool {
        !self.pre.is_empty()
    }
}

fn number(text: &str) -> Option<u64> {
    let plain = text == "0" || !text.starts_with('0');
    (plain && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

impl Ord for Version {
    fn cmp(&self, other: &Version) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (self.is_prerelease(), other.is_prerelease()) {
            (true, true) => compare_tags(&self.pre, &other.pre),
            (mine, theirs) => theirs.cmp(&mine),
        })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Number by number, numbers before words, and the longer one is later.
fn compare_tags(a: &str, b: &str) -> Ordering {
    let one = |(a, b): (&str, &str)| match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    };
    let first = a.split('.').zip(b.split('.')).map(one).find(|order| order.is_ne());
    first.unwrap_or_else(|| a.len().cmp(&b.len()))
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}{}{}", if self.pre.is_empty() { "" } else { "-" }, self.pre)
    }
}

impl Requirement {
    /// Reads `1.0.0`, `=1.0.0`, `>=1.0.0` and the like.
    pub fn parse(text: &str) -> Option<Requirement> {
        let text = text.trim();
        let relations = [
            (">=", Relation::AtLeast),
            ("<=", Relation::AtMost),
            (">", Relation::More),
            ("<", Relation::Less),
            ("=", Relation::Exactly),
            ("", Relation::Exactly),
        ];
        let (rest, relation) =
            relations.iter().find_map(|(sign, relation)| Some((text.strip_prefix(sign)?, *relation)))?;
        Some(Requirement { relation, version: Version::parse(rest)? })
    }

    pub fn is_met_by(&self, version: &Version) -> bool {
        match self.relation {
            Relation::Exactly => *version == self.version,
            Relation::AtLeast => *version >= self.version,
            Relation::More => *version > self.version,
            Relation::AtMost => *version <= self.version,
            Relation::Less => {
                let own_prerelease = !self.version.is_prerelease() && version.numbers == self.version.numbers;
                *version < self.version && !own_prerelease
            }
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.relation {
            Relation::Less => "<",
            Relation::AtMost => "<=",
            Relation::Exactly => "",
            Relation::AtLeast => ">=",
            Relation::More => ">",
        };
        write!(f, "{sign}{}", self.version)
    }
}

impl From<Version> for Requirement {
    /// Exactly this version.
    fn from(version: Version) -> Requirement {
        Requirement { relation: Relation::Exactly, version }
    }
}

#[cfg(test)]
mod tests {
    use super::{Requirement, Version};

    fn met(requirement: &str, versions: &[&str]) -> Vec<bool> {
        let requirement = Requirement::parse(requirement).unwrap();
        versions.iter().map(|version| requirement.is_met_by(&Version::parse(version).unwrap())).collect()
    }

    #[test]
    fn requirements_are_met_as_by_dbt() {
        let versions = ["0.9.9", "1.0.0-rc1", "1.0.0", "1.0.1", "1.10.0"];
        assert_eq!(met(">=1.0.0", &versions), [false, false, true, true, true]);
        assert_eq!(met(">1.0.0", &versions), [false, false, false, true, true]);
        assert_eq!(met("<1.0.0", &versions), [true, false, false, false, false]);
        assert_eq!(met("<1.0.0-rc2", &versions), [true, true, false, false, false]);
        assert_eq!(met("<=1.0.0", &versions), [true, true, true, false, false]);
        assert_eq!(met("=1.0.0", &versions), [false, false, true, false, false]);
    }

    #[test]
    fn versions_are_ordered_as_semver_says() {
        let ordered = ["1.0.0-1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0", "1.2.0"];
        let versions: Vec<Version> = ordered.iter().map(|text| Version::parse(text).unwrap()).collect();
        assert!(versions.is_sorted());
        assert_eq!(versions[3].to_string(), "1.0.0-beta.2");
        assert_eq!(Version::parse("1.0.0b1").unwrap().pre, "b1");
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in ["1.0", "01.0.0", "1.0.x", "", "1.0.0-", "1.0.0.0", "1.0.0-a..b", "-1.0.0"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
