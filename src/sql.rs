//! Turns SQL into its Shape: what it reads, and whether it joins, filters or aggregates. The only user of sqlparser.
//!
//! The engine decides what SQL means; the shape serves checks and lineage only. A query that sqlparser cannot read
//! has no shape, and nothing fails for that reason.

mod aggregates;
pub mod flow;
pub mod lineage;
pub mod meaning;
pub mod names;
mod reader;
pub mod selects;
pub mod texts;

use crate::sql::reader::read;

/// A place in SQL; line and column count characters from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    pub line: usize,
    pub column: usize,
}

impl Location {
    /// None where the parser knows no place.
    fn of(place: sqlparser::tokenizer::Location) -> Option<Location> {
        let count = |number: u64| usize::try_from(number).ok().filter(|number| *number > 0);
        Some(Location { line: count(place.line)?, column: count(place.column)? })
    }
}

/// What a query does to what it reads, in any of its subqueries and common table expressions. Each part is the
/// place of its first occurrence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// The names of the tables and views read, part by part, without common table expressions.
    pub relations: Vec<Vec<String>>,
    /// Where each of them is first named.
    pub places: Vec<Location>,
    pub joins: Option<Location>,
    /// `where`, `having`, `qualify`, `limit` or a sample.
    pub filters: Option<Location>,
    /// `group by`, an aggregate function, `distinct`, or a set operation that removes duplicates.
    pub aggregates: Option<Location>,
    pub set_operations: Option<Location>,
    pub windows: Option<Location>,
    /// A column that is more than a column of what is read.
    pub computes: Option<Location>,
}

/// Longer SQL has no shape.
const MAX_BYTES: usize = 1024 * 1024;

/// SQL up to this length cannot be nested so deep that the stack of any thread is too small for it.
const SMALL_BYTES: usize = 32 * 1024;

/// Enough for the deepest nesting in `MAX_BYTES`. Only what is used of it takes memory.
const LARGE_STACK: usize = 256 * 1024 * 1024;

/// The shape of one query; `None` if it is something else or cannot be read.
pub fn shape(sql: &str) -> Option<Shape> {
    on_enough_stack(sql, || read(sql).map(|reader| reader.shape))
}

/// Reads SQL where there is room: a chain of operators becomes a tree as deep as the chain is long, and dropping that
/// tree recurses.
fn on_enough_stack<T: Send>(sql: &str, work: impl FnOnce() -> Option<T> + Send) -> Option<T> {
    match sql.len() {
        length if length <= SMALL_BYTES => work(),
        length if length <= MAX_BYTES => std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(LARGE_STACK);
            thread.spawn_scoped(scope, work).ok()?.join().ok()?
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Location, Shape, shape};

    fn at(line: usize, column: usize) -> Option<Location> {
        Some(Location { line, column })
    }

    fn reads(sql: &str) -> Vec<String> {
        shape(sql).unwrap().relations.iter().map(|name| name.join(".")).collect()
    }

    #[test]
    fn a_projection_of_one_relation_has_no_shape_but_what_it_reads() {
        let sql = "select *, a::int as b, upper(c) as c, now() as _at from \"db\".\"main\".\"t\" order by 1";
        let relations = vec![vec!["db".to_string(), "main".to_string(), "t".to_string()]];
        let expected = Shape {
            relations,
            places: vec![Location { line: 1, column: 57 }],
            computes: at(1, 11),
            ..Shape::default()
        };
        assert_eq!(shape(sql), Some(expected));
    }

    #[test]
    fn names_and_stars_compute_nothing() {
        assert_eq!(shape("select *, t.a, b as c from t").unwrap().computes, None);
        assert_eq!(shape("select a, a + 1 from t").unwrap().computes, at(1, 11));
        assert_eq!(shape("select * replace (a + 1 as a) from t").unwrap().computes, at(1, 1));
    }

    #[test]
    fn the_place_of_the_first_occurrence_is_told() {
        let shape = shape("select\n  a,\n  count(*)\nfrom t\njoin u using (a)\nwhere a > 1\ngroup by a").unwrap();
        assert_eq!(shape.aggregates, at(3, 3));
        assert_eq!(shape.joins, at(5, 6));
        assert_eq!(shape.filters, at(6, 7));
    }

    #[test]
    fn common_table_expressions_are_looked_through_and_not_read() {
        assert_eq!(reads("with a as (select * from x), b as (select * from a) select * from b, s.a"), ["x", "s.a"]);
        assert_eq!(shape("with a as (select * from x where y) select * from a").unwrap().filters, at(1, 34));
    }

    #[test]
    fn a_common_table_expression_may_have_the_name_of_the_table_that_it_reads() {
        assert_eq!(reads("with orders as (select * from orders) select * from orders"), ["orders"]);
        assert_eq!(reads("with recursive n as (select 1 union all select * from n) select * from n"), [""; 0]);
        assert_eq!(reads("select * from (with a as (select 1) select * from a), A"), ["A"]);
    }

    #[test]
    fn relations_of_subqueries_in_expressions_are_read() {
        assert_eq!(reads("select * from t where a in (select a from u)"), ["t", "u"]);
    }

    #[test]
    fn table_functions_are_not_relations() {
        assert_eq!(reads("select * from read_csv('a.csv')"), [""; 0]);
    }

    #[test]
    fn every_way_to_drop_rows_is_a_filter() {
        for rest in ["where a", "limit 1", "offset 1", "qualify rank() over () = 1", "group by a having a"] {
            assert!(shape(&format!("select a from t {rest}")).unwrap().filters.is_some(), "{rest}");
        }
    }

    #[test]
    fn every_way_to_fold_rows_is_an_aggregate() {
        for sql in [
            "select distinct a from t",
            "select distinct on (a) a from t",
            "select max(a) from t",
            "select a from t group by all",
            "select a from t union select a from t",
            "select a from t except select a from u",
            "select (select sum(a) from u) from t",
        ] {
            assert!(shape(sql).unwrap().aggregates.is_some(), "{sql}");
        }
    }

    #[test]
    fn a_window_is_not_an_aggregate() {
        let shape = shape("select sum(a) over (partition by b) from t").unwrap();
        assert_eq!((shape.aggregates, shape.windows), (None, at(1, 8)));
    }

    #[test]
    fn union_all_keeps_every_row() {
        let shape = shape("select a from t\nunion all\nselect a from u").unwrap();
        assert_eq!((shape.aggregates, shape.set_operations), (None, at(1, 1)));
    }

    #[test]
    fn what_is_not_one_query_has_no_shape() {
        for sql in ["", "select 1; select 2", "drop table t", "select from where"] {
            assert_eq!(shape(sql), None, "{sql}");
        }
    }

    #[test]
    fn a_long_condition_is_no_problem() {
        for (terms, is_read) in [(10, true), (16_000, true), (200_000, true), (600_000, false)] {
            let sql = format!("select * from t where {}", vec!["a"; terms].join("+"));
            assert_eq!(shape(&sql).is_some(), is_read, "{terms}");
        }
    }
}
