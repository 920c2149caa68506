//! Turns `x in (select …)` among the items of a select, where DataFusion has it only as a condition, into two subqueries.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use sqlparser::ast::{Expr, Query, SelectItem, Statement, TableFactor, UnaryOperator, VisitMut, VisitorMut};
use sqlparser::parser::Parser;

use crate::adapter::lake::dialect::build;
use crate::adapter::lake::dialect::grammar::{self, Grammar};

/// Whether one of the members is `x`; else it is unknown if a member is NULL, or `x` is, unless there are no members.
const IS_MEMBER: &str = "select case \
    when (select bool_or(true) from (select 1) as medal_members(medal_member) where medal_member = x) then true \
    else case (select case when count(*) > count(medal_member) then 2 when count(*) > 0 then 1 else 0 end \
        from (select 1) as medal_members(medal_member)) \
      when 0 then false when 1 then case when x is null then null else false end end \
  end";

static TEMPLATE: LazyLock<Option<Expr>> = LazyLock::new(|| {
    let parser = Parser::new(&Grammar).with_tokens_with_locations(grammar::tokens(IS_MEMBER).ok()?);
    let Statement::Query(query) = { parser }.parse_statement().ok()? else { return None };
    match query.body.as_select()?.projection.first()? {
        SelectItem::UnnamedExpr(expr) => Some(expr.clone()),
        _ => None,
    }
});

/// Changes an item of a select, and leaves alone what its subqueries have as conditions.
pub fn spell_out(item: &mut SelectItem) {
    if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
        let _ = VisitMut::visit(expr, &mut Items { depth: 0 });
    }
}

struct Items {
    depth: usize,
}

impl VisitorMut for Items {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.depth == 0
            && let Expr::InSubquery { expr: value, subquery, negated } = expr
            && let Some(mut found) = TEMPLATE.clone()
        {
            let mut fill = Fill { value: build::nested(build::take(value)), members: subquery };
            let _ = VisitMut::visit(&mut found, &mut fill);
            let found = Box::new(build::nested(found));
            *expr = if *negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: found } } else { *found };
        }
        ControlFlow::Continue(())
    }
}

struct Fill<'a> {
    value: Expr,
    members: &'a Query,
}

impl VisitorMut for Fill<'_> {
    type Break = ();

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Derived { subquery, .. } = factor {
            **subquery = self.members.clone();
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if matches!(expr, Expr::Identifier(name) if name.value == "x") {
            *expr = self.value.clone();
        }
        ControlFlow::Continue(())
    }
}
