//! Turns the use of an alias within its own select into the expression that it stands for.
//!
//! In DuckDB a name is a column of FROM first, then an alias of the select. Only the planner knows the columns: it says
//! which name it misses, and the statement is written anew.

use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, SchemaError};
use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    Expr, GroupByExpr, Query, Select, SelectItem, Statement, VisitMut, VisitorMut, visit_expressions_mut,
};

use crate::adapter::lake::dialect::build;
use crate::sql::selects::each_mut;

/// The statement with the missing name written out, if one select alone defines and uses it.
pub fn written_out(statement: &Statement, error: &DataFusionError) -> Option<Statement> {
    let DataFusionError::SchemaError(schema_error, _) = error.find_root() else { return None };
    let SchemaError::FieldNotFound { field, .. } = schema_error.as_ref() else { return None };
    if field.relation.is_some() {
        return None;
    }
    let mut changed = statement.clone();
    let mut writer = Writer { name: field.name.to_lowercase(), selects: 0 };
    let _: ControlFlow<()> = changed.visit(&mut writer);
    (writer.selects == 1).then_some(changed)
}

struct Writer {
    name: String,
    /// In how many selects the name was written out.
    selects: usize,
}

impl VisitorMut for Writer {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        each_mut(&mut query.body, &mut |select| self.select(select));
        ControlFlow::Continue(())
    }
}

impl Writer {
    fn select(&mut self, select: &mut Select) {
        let defined = select.projection.iter().position(
            |item| matches!(item, SelectItem::ExprWithAlias { alias, .. } if alias.value.to_lowercase() == self.name),
        );
        let Some(defined) = defined else { return };
        let SelectItem::ExprWithAlias { expr, .. } = &select.projection[defined] else { return };
        let meaning = build::nested(expr.clone());
        if self.replace(&mut meaning.clone(), &Expr::Wildcard(AttachedToken::empty())) {
            // It speaks of itself, and so of a column that is missing indeed.
            return;
        }
        let later = select.projection.iter_mut().skip(defined + 1).filter_map(|item| match item {
            SelectItem::ExprWithAlias { expr, .. } | SelectItem::UnnamedExpr(expr) => Some(expr),
            _ => None,
        });
        let conditions = select.selection.iter_mut().chain(&mut select.having).chain(&mut select.qualify);
        let groups = match &mut select.group_by {
            GroupByExpr::Expressions(groups, _) => groups.as_mut_slice(),
            GroupByExpr::All(_) => &mut [],
        };
        let mut used = false;
        for expr in later.chain(conditions).chain(groups) {
            used |= self.replace(expr, &meaning);
        }
        self.selects += usize::from(used);
    }

    fn replace(&self, expr: &mut Expr, meaning: &Expr) -> bool {
        let mut used = false;
        let _: ControlFlow<()> = visit_expressions_mut(expr, |expr| {
            if matches!(expr, Expr::Identifier(ident) if ident.value.to_lowercase() == self.name) {
                *expr = meaning.clone();
                used = true;
            }
            ControlFlow::Continue(())
        });
        used
    }
}
