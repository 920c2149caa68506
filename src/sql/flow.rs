//! Turns SQL into what becomes of the rows that it reads: whether they all come through, or which way some are taken out.

use crate::sql::on_enough_stack;
use crate::sql::reader::read;

/// What a query does to the rows of what it selects from. Subqueries in its expressions choose rows; they give none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flow {
    /// What rows come from, part by part, without common table expressions.
    pub relations: Vec<Vec<String>>,
    /// `where`, `having`, `limit` or a sample.
    pub filters: bool,
    /// `distinct` or `qualify`.
    pub picks: bool,
    /// `group by`, or an aggregate function.
    pub folds: bool,
    /// A join, a set operation, or anything else that makes rows: how many come of one cannot be seen.
    pub is_unclear: bool,
}

/// The fate of the rows of the one relation that a query reads. Where a query takes rows out in several ways, the last of
/// these that applies stands for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Kept,
    Filtered,
    Deduplicated,
    Merged,
}

impl Fate {
    pub fn name(self) -> &'static str {
        match self {
            Fate::Kept => "kept",
            Fate::Filtered => "filtered",
            Fate::Deduplicated => "deduplicated",
            Fate::Merged => "merged",
        }
    }
}

impl Flow {
    /// What becomes of the rows of a relation of which nothing else is known; none if that cannot be seen.
    pub fn fate(&self) -> Option<Fate> {
        match self {
            Flow { is_unclear: true, .. } => None,
            Flow { folds: true, .. } => Some(Fate::Merged),
            Flow { picks: true, .. } => Some(Fate::Deduplicated),
            Flow { filters: true, .. } => Some(Fate::Filtered),
            _ => Some(Fate::Kept),
        }
    }
}

/// The flow of one query; `None` if it is something else or cannot be read.
pub fn flow(sql: &str) -> Option<Flow> {
    on_enough_stack(sql, || read(sql).map(|reader| reader.flow))
}

#[cfg(test)]
mod tests {
    use super::{Fate, flow};

    fn fate(sql: &str) -> Option<Fate> {
        flow(sql).unwrap().fate()
    }

    #[test]
    fn a_projection_keeps_all_rows() {
        assert_eq!(fate("select *, a + 1 as b, row_number() over () as n from t order by 1"), Some(Fate::Kept));
        assert_eq!(fate("with a as (select * from t), b as (select x from a) select * from b"), Some(Fate::Kept));
        assert_eq!(fate("select *, (select max(x) from u) as most from t"), Some(Fate::Kept));
    }

    #[test]
    fn the_strongest_way_to_take_rows_out_counts() {
        assert_eq!(fate("select * from t where a limit 3"), Some(Fate::Filtered));
        assert_eq!(fate("select * from t where a in (select distinct a from u)"), Some(Fate::Filtered));
        assert_eq!(flow("select * from t where a > (select max(a) from u)").unwrap().relations, [["t"]]);
        assert_eq!(
            fate("select * from t where a qualify row_number() over (partition by b) = 1"),
            Some(Fate::Deduplicated)
        );
        assert_eq!(fate("select distinct a from t"), Some(Fate::Deduplicated));
        assert_eq!(fate("select a, count(*) from t where b group by a having count(*) > 1"), Some(Fate::Merged));
    }

    #[test]
    fn what_may_make_rows_is_unclear() {
        for sql in [
            "select * from t join u using (a)",
            "select * from t, u",
            "select * from t union all select * from u",
            "select unnest(a) from t",
            "select * from (values (1)) where 1 in (select a from t)",
            "select * from range(3)",
            "select 1",
            "with a as (select * from t) select * from u where x in (select x from a)",
            "unpivot t on a, b into name n value v",
        ] {
            assert!(flow(sql).is_none_or(|flow| flow.fate().is_none()), "{sql}");
        }
    }
}
