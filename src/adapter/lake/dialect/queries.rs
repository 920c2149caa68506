//! Turns DuckDB's shapes of queries and relations into those that DataFusion's planner knows.

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, LimitClause, Offset,
    OffsetRows, OrderBy, OrderByExpr, OrderByKind, Query, Select, SelectFlavor, SelectItem, SetExpr, SetOperator,
    SetQuantifier, Spanned, TableAlias, TableAliasColumnDef, TableFactor, TableWithJoins, Value, Values,
    WildcardAdditionalOptions,
};

use crate::adapter::AdapterError;
use crate::adapter::lake::dialect::refusal::refuse;
use crate::adapter::lake::dialect::{build, calls, literals, members, names, unnests, usings};

/// What must be done while the query is as the user wrote it.
pub fn before(query: &mut Query) -> Result<(), AdapterError> {
    no_bags(&query.body)?;
    for cte in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
        cte.materialized = None;
        keep_order(&mut cte.query);
    }
    selects(&mut query.body, &mut |select| {
        if select.flavor == SelectFlavor::FromFirstNoSelect {
            select.projection = vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())];
        }
        select.flavor = SelectFlavor::Standard;
        unnests::join(select);
        usings::write_out(select);
        names::give(&mut select.projection, &relations(&select.from));
        if matches!(&select.group_by, GroupByExpr::All(modifiers) if modifiers.is_empty())
            && let Some(places) = places(&select.projection, |expr| !calls::aggregates(expr))
        {
            select.group_by = GroupByExpr::Expressions(places, Vec::new());
        }
        same_order(select)
    })?;
    order_by_all(query);
    Ok(())
}

/// DataFusion keeps or drops all rows that are the same, where SQL counts them.
fn no_bags(body: &SetExpr) -> Result<(), AdapterError> {
    let SetExpr::SetOperation { op, set_quantifier, left, right } = body else { return Ok(()) };
    if matches!(op, SetOperator::Except | SetOperator::Intersect | SetOperator::Minus)
        && matches!(set_quantifier, SetQuantifier::All)
    {
        let message =
            format!("DataFusion does not count rows in `{op} all`; write it without `all`, or number the rows");
        return Err(refuse(body.span(), message.to_lowercase().replace("datafusion", "DataFusion")));
    }
    no_bags(left)?;
    no_bags(right)
}

/// `order by all` as the numbers of the items, where these are written out.
fn order_by_all(query: &mut Query) {
    let Some(OrderBy { kind, .. }) = &mut query.order_by else { return };
    let OrderByKind::All(options) = kind else { return };
    let mut first = None;
    let _ = selects(&mut query.body, &mut |select| {
        first = first.take().or_else(|| Some(places(&select.projection, |_| true)));
        Ok(())
    });
    let Some(Some(places)) = first else { return };
    let options = *options;
    let by = |expr: Expr| OrderByExpr { expr, options, with_fill: None };
    *kind = OrderByKind::Expressions(places.into_iter().map(by).collect());
}

/// The numbers of those items that count, from 1; none if a `*` hides items.
fn places(items: &[SelectItem], counts: impl Fn(&Expr) -> bool) -> Option<Vec<Expr>> {
    let mut places = Vec::new();
    for (at, item) in items.iter().enumerate() {
        match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } if counts(expr) => {
                places.push(Expr::value(Value::Number((at + 1).to_string(), false)));
            }
            SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. } => {}
            _ => return None,
        }
    }
    Some(places)
}

/// What FROM reads, by the names that columns can be told apart with.
fn relations(from: &[TableWithJoins]) -> Vec<String> {
    let factors = from.iter().flat_map(|table| {
        [&table.relation].into_iter().chain(table.joins.iter().map(|join| &join.relation)).collect::<Vec<_>>()
    });
    let name = |factor: &TableFactor| match factor {
        TableFactor::Table { alias: Some(alias), .. }
        | TableFactor::Derived { alias: Some(alias), .. }
        | TableFactor::UNNEST { alias: Some(alias), .. }
        | TableFactor::Pivot { alias: Some(alias), .. }
        | TableFactor::Unpivot { alias: Some(alias), .. }
        | TableFactor::NestedJoin { alias: Some(alias), .. } => Some(alias.name.value.to_lowercase()),
        TableFactor::Table { name, .. } => name.0.last()?.as_ident().map(|ident| ident.value.to_lowercase()),
        _ => None,
    };
    factors.filter_map(name).collect()
}

/// The columns of these joins stand elsewhere in DataFusion's `*`.
fn same_order(select: &Select) -> Result<(), AdapterError> {
    let star = select.projection.iter().find_map(|item| match item {
        SelectItem::Wildcard(options) => Some(options.wildcard_token.0.span),
        _ => None,
    });
    let moved = |join: &Join| {
        use JoinOperator as On;
        match &join.join_operator {
            On::FullOuter(constraint) | On::Right(constraint) | On::RightOuter(constraint) => {
                matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural)
            }
            On::Join(constraint) | On::Inner(constraint) | On::Left(constraint) | On::LeftOuter(constraint) => {
                matches!(constraint, JoinConstraint::Natural)
            }
            _ => false,
        }
    };
    match star {
        Some(span) if select.from.iter().flat_map(|table| &table.joins).any(moved) => {
            Err(refuse(span, "the columns of such a join have another order on DataFusion; name them instead of `*`"))
        }
        _ => Ok(()),
    }
}

/// What is done when the parts of the query are rewritten.
pub fn after(query: &mut Query) -> Result<(), AdapterError> {
    if let SetExpr::Values(values) = query.body.as_mut() {
        values.rows.iter_mut().flatten().for_each(literals::give_type);
        name_values(query);
        return Ok(());
    }
    selects(&mut query.body, &mut |select| {
        for item in &mut select.projection {
            item_after(item)?;
            members::spell_out(item);
        }
        for table in &mut select.from {
            table.joins.iter_mut().for_each(join);
        }
        Ok(())
    })
}

/// A subquery that stands for a value has one row at most; DataFusion takes this for granted.
pub fn single(query: &mut Query) {
    let limited =
        query.limit_clause.as_ref().is_some_and(|limit| limit.to_string().trim().eq_ignore_ascii_case("limit 1"));
    let SetExpr::Select(select) = query.body.as_mut() else { return wrap(query) };
    let [SelectItem::ExprWithAlias { expr, .. } | SelectItem::UnnamedExpr(expr)] = select.projection.as_mut_slice()
    else {
        return;
    };
    let groups = !matches!(&select.group_by, GroupByExpr::Expressions(groups, _) if groups.is_empty());
    let aggregated = calls::aggregates(expr) && !groups;
    if limited || aggregated || select.from.is_empty() {
        return;
    }
    if groups || select.distinct.is_some() || select.qualify.is_some() || query.limit_clause.is_some() {
        return wrap(query);
    }
    // Neither the order nor the name counts for one row.
    query.order_by = None;
    *expr = build::call("medal_single", vec![build::take(expr)]);
}

/// `select medal_single(value) from (query) as value(value)`.
fn wrap(query: &mut Query) {
    let name = Ident::with_quote('"', "value");
    let columns = vec![TableAliasColumnDef { name: name.clone(), data_type: None }];
    let alias = TableAlias { explicit: true, name: name.clone(), columns };
    let subquery = Box::new(std::mem::replace(query, query_of(SetExpr::Values(no_values()))));
    let relation = TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None };
    let item = SelectItem::UnnamedExpr(build::call("medal_single", vec![Expr::Identifier(name)]));
    let from = vec![TableWithJoins { relation, joins: Vec::new() }];
    *query.body = SetExpr::Select(Box::new(select_of(item, from)));
}

fn no_values() -> Values {
    Values { explicit_row: false, value_keyword: false, rows: Vec::new() }
}

/// The columns of VALUES are `col0`, `col1` …
fn name_values(query: &mut Query) {
    let SetExpr::Values(values) = query.body.as_ref() else { return };
    let count = values.rows.first().map_or(0, Vec::len);
    let column = |at: usize| TableAliasColumnDef { name: Ident::with_quote('"', format!("col{at}")), data_type: None };
    let columns = (0..count).map(column).collect();
    let alias = TableAlias { explicit: true, name: Ident::with_quote('"', "values"), columns };
    let subquery = Box::new(query_of(*std::mem::replace(&mut query.body, Box::new(SetExpr::Values(no_values())))));
    let relation = TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None };
    let star = SelectItem::Wildcard(WildcardAdditionalOptions::default());
    let from = vec![TableWithJoins { relation, joins: Vec::new() }];
    *query.body = SetExpr::Select(Box::new(select_of(star, from)));
}

fn item_after(item: &mut SelectItem) -> Result<(), AdapterError> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => literals::give_type(expr),
        SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) => {
            if options.opt_rename.is_some() {
                let span = options.wildcard_token.0.span;
                let way = "name the columns, or write `* exclude (a), a as b`";
                return Err(refuse(span, format!("DataFusion cannot rename columns of a `*`; {way}")));
            }
            for replaced in options.opt_replace.iter_mut().flat_map(|replace| &mut replace.items) {
                literals::give_type(&mut replaced.expr);
            }
        }
    }
    Ok(())
}

/// DuckDB's semi and anti joins are the left ones.
fn join(join: &mut Join) {
    join.join_operator = match std::mem::replace(&mut join.join_operator, JoinOperator::CrossApply) {
        JoinOperator::Semi(constraint) => JoinOperator::LeftSemi(constraint),
        JoinOperator::Anti(constraint) => JoinOperator::LeftAnti(constraint),
        other => other,
    };
}

/// Every select of a body, without subqueries.
fn selects(
    body: &mut SetExpr,
    change: &mut impl FnMut(&mut Select) -> Result<(), AdapterError>,
) -> Result<(), AdapterError> {
    match body {
        SetExpr::Select(select) => change(select),
        SetExpr::SetOperation { left, right, .. } => {
            selects(left, change)?;
            selects(right, change)
        }
        _ => Ok(()),
    }
}

/// DuckDB keeps the order of a subquery; DataFusion drops it, unless the subquery leaves out rows.
fn keep_order(query: &mut Query) {
    if query.order_by.is_some() && query.limit_clause.is_none() {
        let offset = Offset { value: Expr::value(Value::Number("0".to_string(), false)), rows: OffsetRows::None };
        query.limit_clause = Some(LimitClause::LimitOffset { limit: None, offset: Some(offset), limit_by: Vec::new() });
    }
}

/// A part of FROM.
pub fn relation(factor: &mut TableFactor) -> Result<(), AdapterError> {
    match factor {
        TableFactor::Derived { subquery, .. } => {
            keep_order(subquery);
            Ok(())
        }
        TableFactor::NestedJoin { table_with_joins, .. } => {
            table_with_joins.joins.iter_mut().for_each(join);
            Ok(())
        }
        TableFactor::Table { sample: Some(_), name, .. } => {
            let message = "DataFusion cannot take a sample; filter on a hash of a key instead";
            Err(refuse(name.span(), message))
        }
        TableFactor::Table { name, args: Some(arguments), alias, .. } => {
            let function = name.to_string().to_lowercase();
            let args = arguments.args.iter().map(positional).collect::<Option<Vec<Expr>>>();
            let rows = match (function.as_str(), args) {
                ("range" | "generate_series", Some(args)) => {
                    build::call("unnest", vec![calls::rewrite_named(&function, args, name.span())?])
                }
                ("unnest", Some(args)) => build::call("unnest", args),
                _ => return Err(no_table_function(&function, name.span())),
            };
            let derived = rows_of(rows, &function, alias.take());
            *factor = derived;
            Ok(())
        }
        TableFactor::UNNEST { alias, array_exprs, with_offset: false, .. } if array_exprs.len() == 1 => {
            let rows = build::call("unnest", std::mem::take(array_exprs));
            let derived = rows_of(rows, "unnest", alias.take());
            *factor = derived;
            Ok(())
        }
        _ => Ok(()),
    }
}

fn no_table_function(name: &str, span: sqlparser::tokenizer::Span) -> AdapterError {
    let way = match name {
        _ if name.starts_with("read_") || name.ends_with("_scan") => {
            "files are read with `read_csv`, `read_json`, `read_parquet` and `delta_scan`"
        }
        _ => "write what it does as a select",
    };
    refuse(span, format!("DataFusion has no table function `{name}`; {way}"))
}

fn positional(arg: &FunctionArg) -> Option<Expr> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    }
}

/// `(select expression as column) as alias`; without an alias the relation has the column's name.
fn rows_of(rows: Expr, column: &str, alias: Option<TableAlias>) -> TableFactor {
    let name = Ident::with_quote('"', column);
    let item = SelectItem::ExprWithAlias { expr: rows, alias: name.clone() };
    let subquery = query_of(SetExpr::Select(Box::new(select_of(item, Vec::new()))));
    let alias = alias.or(Some(TableAlias { explicit: true, name, columns: Vec::new() }));
    TableFactor::Derived { lateral: false, subquery: Box::new(subquery), alias, sample: None }
}

/// `select item from …`.
pub fn select_of(item: SelectItem, from: Vec<TableWithJoins>) -> Select {
    Select {
        select_token: AttachedToken::empty(),
        optimizer_hint: None,
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: vec![item],
        exclude: None,
        into: None,
        from,
        lateral_views: Vec::new(),
        prewhere: None,
        selection: None,
        connect_by: Vec::new(),
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    }
}

pub fn query_of(body: SetExpr) -> Query {
    Query {
        with: None,
        body: Box::new(body),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}
