use crate::sql::lineage::{Origin, Relations, lineage};

struct Shop;

impl Relations for Shop {
    fn find(&self, name: &[String]) -> (String, Option<Vec<String>>) {
        let name = name.last().cloned().unwrap_or_default();
        let columns = match name.as_str() {
            "orders" => Some("id customer_id amount at"),
            "customers" => Some("id name info"),
            "months" => Some("id jan feb mar"),
            "sales" => Some("item year amount"),
            _ => None,
        };
        (name, columns.map(|columns| columns.split(' ').map(str::to_string).collect()))
    }
}

/// Each column with its direct origins, and behind a bar the others.
fn shown(sql: &str) -> String {
    shown_with(sql, None)
}

/// The same, where the engine has told the names of the columns.
fn shown_with(sql: &str, names: Option<&[String]>) -> String {
    let listed = |origins: &std::collections::BTreeSet<Origin>| {
        origins.iter().map(|origin| format!("{}.{}", origin.relation, origin.column)).collect::<Vec<_>>().join(" ")
    };
    let Some(columns) = lineage(sql, &Shop, names) else { return "unknown".to_string() };
    let line = |column: &crate::sql::lineage::Output| {
        format!("{}: {} | {}", column.name, listed(&column.uses.direct), listed(&column.uses.indirect))
    };
    columns.iter().map(line).map(|line| line.trim_end_matches([' ', '|']).to_string()).collect::<Vec<_>>().join("\n")
}

#[test]
fn expressions_are_direct_and_conditions_are_not() {
    assert_eq!(
        shown(
            "select o.id, amount * 2 as twice from orders o join customers c on c.id = o.customer_id where name = 'x'"
        ),
        "id: orders.id | customers.id customers.name orders.customer_id\n\
         twice: orders.amount | customers.id customers.name orders.customer_id"
    );
}

#[test]
fn common_table_expressions_stars_and_renames_are_followed() {
    assert_eq!(
        shown(
            "with a as (select * exclude (at) replace (amount + id as amount) from orders), b as (select * from a) select * from b"
        ),
        "id: orders.id\ncustomer_id: orders.customer_id\namount: orders.amount orders.id"
    );
}

#[test]
fn unions_go_by_place_or_by_name() {
    assert_eq!(
        shown("select id, amount from orders union all select name, id from customers"),
        "id: customers.name orders.id\namount: customers.id orders.amount"
    );
    assert_eq!(
        shown("select id, amount from orders union all by name select name, id from customers"),
        "id: customers.id orders.id\namount: orders.amount\nname: customers.name"
    );
}

#[test]
fn windows_and_groups_decide_rows() {
    assert_eq!(
        shown(
            "select row_number() over (partition by customer_id order by at) as number, sum(amount) over w as total from orders window w as (order by id)"
        ),
        "number:  | orders.at orders.customer_id\ntotal: orders.amount | orders.id"
    );
    assert_eq!(
        shown("select customer_id as who, sum(amount) as total from orders group by 1"),
        "who: orders.customer_id | orders.customer_id\ntotal: orders.amount | orders.customer_id"
    );
}

#[test]
fn using_makes_one_column_of_two() {
    assert_eq!(
        shown("select * from customers left join (select customer_id as id, amount from orders) using (id)"),
        "id: customers.id | customers.id orders.customer_id\n\
         name: customers.name | customers.id orders.customer_id\n\
         info: customers.info | customers.id orders.customer_id\n\
         amount: orders.amount | customers.id orders.customer_id"
    );
}

#[test]
fn subqueries_aliases_fields_and_lambdas_are_followed() {
    assert_eq!(
        shown(
            "select amount + 1 as more, more * 2 as most, (select max(name) from customers c where c.id = o.customer_id) as who from orders o"
        ),
        "more: orders.amount\nmost: orders.amount\nwho: customers.name | customers.id orders.customer_id"
    );
    assert_eq!(
        shown("select c.info.address.city, info['x'] as x, list_transform(info, v -> v + id) as y from customers c"),
        "city: customers.info\nx: customers.info\ny: customers.id customers.info"
    );
}

#[test]
fn a_recursive_expression_keeps_where_it_began() {
    assert_eq!(
        shown(
            "with recursive n as (select id, amount as a from orders union all select id, a + 1 from n where a < 9) select id, a from n"
        ),
        "id: orders.id | orders.amount\na: orders.amount | orders.amount"
    );
}

#[test]
fn unnested_lists_come_from_their_columns() {
    assert_eq!(
        shown("select u.item, c.id from customers c, unnest(c.info) as u(item)"),
        "item: customers.info\nid: customers.id"
    );
}

#[test]
fn columns_may_be_chosen_by_a_pattern() {
    assert_eq!(shown("select columns('a') from orders"), "amount: orders.amount\nat: orders.at");
}

#[test]
fn a_comparison_in_a_call_is_no_name_of_an_argument() {
    assert_eq!(shown("select coalesce(name = 'x', false) as is_x from customers"), "is_x: customers.name");
}

#[test]
fn what_cannot_be_followed_is_unknown() {
    for sql in ["select * from elsewhere", "drop table t", "select 1; select 2", "select ("] {
        assert_eq!(shown(sql), "unknown", "{sql}");
    }
    assert_eq!(shown("select a from elsewhere"), "a: elsewhere.a");
}

#[test]
fn a_relation_whose_columns_nobody_knows_is_followed_by_name() {
    for sql in [
        "with source as (select * from elsewhere), renamed as (select a as x, b + 1 as y from source where c) select * from renamed",
        "select s.a as x, s.b + 1 as y from (select *, 1 as one from (from elsewhere)) s where c",
        "select a as x, b + 1 as y from (select * exclude (d) from elsewhere) where exists (select * from elsewhere where c)",
    ] {
        let shown = shown(sql);
        assert!(shown.starts_with("x: elsewhere.a"), "{sql}: {shown}");
        assert!(shown.contains("\ny: elsewhere.b") && shown.contains("elsewhere.c"), "{sql}: {shown}");
        assert!(!shown.contains('*'), "{sql}: {shown}");
    }
    assert_eq!(
        shown("select o.*, e.a from (select * from elsewhere) e join orders o using (id)"),
        "id: orders.id | elsewhere.id orders.id\ncustomer_id: orders.customer_id | elsewhere.id orders.id\n\
         amount: orders.amount | elsewhere.id orders.id\nat: orders.at | elsewhere.id orders.id\n\
         a: elsewhere.a | elsewhere.id orders.id"
    );
    for sql in [
        "select a from (select * from elsewhere, another)",
        "select a from (select * from elsewhere union all select * from another)",
        "select * from (select * replace (1 as a) from elsewhere)",
        "select a from (select * from elsewhere) e(a)",
    ] {
        assert_eq!(shown(sql), "unknown", "{sql}");
    }
}

#[test]
fn unpivoted_columns_become_one() {
    let expected = "id: months.id\nmonth:\nsold: months.feb months.jan months.mar";
    for sql in [
        "from months unpivot (sold for month in (jan, feb, mar))",
        "select * from months unpivot include nulls (sold for month in (jan, feb, mar)) as u",
        "with m as materialized (from months) unpivot m on jan, feb, mar into name month value sold",
    ] {
        assert_eq!(shown(sql), expected, "{sql}");
    }
    assert_eq!(
        shown("from months unpivot ((a, b) for half in ((jan, feb) as first, (feb, mar) as second))"),
        "id: months.id\nhalf:\na: months.feb months.jan months.mar\nb: months.feb months.jan months.mar"
    );
}

#[test]
fn pivoted_values_are_made_of_the_aggregates_and_decided_by_the_keys() {
    for sql in [
        "pivot sales on year in (2023, 2024) using sum(amount) group by item",
        "select * from (pivot sales on year in (2023, 2024) using sum(amount) group by item)",
        "from sales pivot (sum(amount) for year in (2023, 2024) group by item)",
    ] {
        let origins: Vec<String> =
            shown(sql).lines().map(|line| line.rsplit(": ").next().unwrap_or_default().to_string()).collect();
        let value = "sales.amount | sales.item sales.year";
        assert_eq!(origins, ["sales.item | sales.item", value, value], "{sql}");
    }
}

#[test]
fn what_only_the_engine_can_read_is_followed_in_plainer_words() {
    for (sql, expected) in [
        ("select [x * 2 for x in [amount] if x > 1] as doubled from orders", "doubled: orders.amount"),
        ("select id from orders using sample 10%", "id: orders.id"),
        ("select id from orders tablesample reservoir(10 rows)", "id: orders.id"),
        (
            "select lag(amount ignore nulls) over (order by at) as before from orders",
            "before: orders.amount | orders.at",
        ),
        ("select o.id from orders o asof join customers c on o.at >= c.id", "id: orders.id | customers.id orders.at"),
        ("select columns(* exclude (id, at)) from orders", "customer_id: orders.customer_id\namount: orders.amount"),
    ] {
        assert_eq!(shown(sql), expected, "{sql}");
    }
}

#[test]
fn the_names_of_the_result_say_what_a_condition_on_names_has_chosen() {
    let names = ["amount", "at"].map(str::to_string);
    let sql = "select columns(name -> name like 'a%') from orders";
    assert_eq!(shown_with(sql, Some(&names)), "amount: orders.amount\nat: orders.at");
    assert_eq!(shown(sql), "unknown");
    let files = "select * from read_csv('orders.csv')";
    assert_eq!(shown_with(files, Some(&names)), "amount:\nat:");
    assert_eq!(shown_with("from elsewhere", Some(&names)), "amount: elsewhere.amount\nat: elsewhere.at");
}

#[test]
fn an_arrow_takes_a_value_out_of_json_where_no_lambda_is_asked_for() {
    assert_eq!(
        shown(
            "select info -> '$.a' ->> '$.b' as b, customers.info -> 'c' as c, upper(info ->> 'd') as d from customers where info -> 'e' is not null"
        ),
        "b: customers.info | customers.info\nc: customers.info | customers.info\nd: customers.info | customers.info"
    );
    assert_eq!(
        shown("select list_transform([amount], id -> id + customer_id) as list from orders"),
        "list: orders.amount orders.customer_id"
    );
}

#[test]
fn a_name_may_stand_before_its_expression() {
    assert_eq!(shown("select k: id, twice: amount * 2 from orders"), "k: orders.id\ntwice: orders.amount");
    assert_eq!(
        shown("select s: {'a': id, 'b': at}, amount from orders"),
        "s: orders.at orders.id\namount: orders.amount"
    );
    assert_eq!(shown("select {'a': id} as s, [id][1:2] as part from orders"), "s: orders.id\npart: orders.id");
}
