//! Turns a chain of joins with USING into joins with ON: DataFusion tells the columns of one join from each other, and
//! takes those of several for ambiguous.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Distinct, ExcludeSelectItem, Expr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator,
    ObjectName, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, TableFactor, TableWithJoins, VisitMut,
    VisitorMut, WildcardAdditionalOptions,
};

use crate::adapter::lake::dialect::build;

/// The relations of FROM, and the columns by which they are joined.
struct Chain {
    relations: Vec<Ident>,
    /// Each column with the relation whose values it has: the first of those that have it.
    columns: Vec<(Ident, Ident)>,
    /// The columns of each relation that another one shows already.
    hidden: Vec<Vec<Ident>>,
    /// Whether joins are left as they are, as it is not plain whose column they mean.
    is_partial: bool,
}

/// Changes a select of several inner and left joins with USING, if it is plain whose columns these are.
pub fn write_out(select: &mut Select) {
    let [table] = select.from.as_mut_slice() else { return };
    let Some(chain) = read(table) else { return };
    if !select.projection.iter().all(|item| chain.shows(item)) {
        return;
    }
    for (join, relation) in table.joins.iter_mut().zip(&chain.relations[1..]) {
        if let Some(constraint) = constraint_of(&mut join.join_operator) {
            match constraint {
                JoinConstraint::Using(names) => {
                    if let Some(condition) = chain.equal(names, relation) {
                        *constraint = JoinConstraint::On(condition);
                    }
                }
                JoinConstraint::On(condition) => chain.qualify(condition),
                _ => {}
            }
        }
    }
    let items = std::mem::take(&mut select.projection);
    select.projection = items.into_iter().flat_map(|item| chain.item(item)).collect();
    let groups = match &mut select.group_by {
        GroupByExpr::Expressions(groups, _) => groups.as_mut_slice(),
        GroupByExpr::All(_) => &mut [],
    };
    let distinct = match &mut select.distinct {
        Some(Distinct::On(columns)) => columns.as_mut_slice(),
        _ => &mut [],
    };
    let conditions = select.selection.iter_mut().chain(&mut select.having).chain(&mut select.qualify);
    conditions.chain(groups).chain(distinct).for_each(|expr| chain.qualify(expr));
}

fn constraint_of(operator: &mut JoinOperator) -> Option<&mut JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint) => Some(constraint),
        _ => None,
    }
}

/// What a chain of at least two joins with USING is about.
fn read(table: &mut TableWithJoins) -> Option<Chain> {
    let first = name_of(&table.relation)?;
    let mut chain =
        Chain { relations: vec![first.clone()], columns: Vec::new(), hidden: vec![Vec::new()], is_partial: false };
    let mut usings = 0;
    for (at, Join { relation, join_operator, .. }) in table.joins.iter_mut().enumerate() {
        let mut hidden = Vec::new();
        match constraint_of(join_operator)? {
            JoinConstraint::Using(names) => {
                let names: Vec<Ident> = names.iter().map(column_of).collect::<Option<_>>()?;
                // Of the first two relations it is plain that both have the column.
                let first_two = names.iter().filter(|_| at == 0);
                chain.columns.extend(first_two.map(|name| (name.clone(), first.clone())));
                match names.iter().filter(|name| chain.column(name).is_some()).count() {
                    0 => chain.is_partial = true,
                    all if all == names.len() => {
                        usings += 1;
                        hidden = names;
                    }
                    _ => return None,
                }
            }
            JoinConstraint::On(_) => {}
            _ => return None,
        }
        let name = name_of(relation)?;
        if chain.relations.iter().any(|known| same(known, &name)) {
            return None;
        }
        chain.relations.push(name);
        chain.hidden.push(hidden);
    }
    (usings > 1).then_some(chain)
}

fn name_of(factor: &TableFactor) -> Option<Ident> {
    match factor {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Some(alias.name.clone())
        }
        TableFactor::Table { name, args: None, .. } => column_of(name),
        _ => None,
    }
}

fn column_of(name: &ObjectName) -> Option<Ident> {
    name.0.last()?.as_ident().cloned()
}

fn same(one: &Ident, other: &Ident) -> bool {
    one.value.eq_ignore_ascii_case(&other.value)
}

impl Chain {
    /// `first.a = relation.a and …`, if the columns are known.
    fn equal(&self, names: &[ObjectName], relation: &Ident) -> Option<Expr> {
        let both = |name: &ObjectName| {
            let name = column_of(name)?;
            let left = Box::new(self.column(&name)?);
            let right = Box::new(Expr::CompoundIdentifier(vec![relation.clone(), name]));
            Some(Expr::BinaryOp { left, op: BinaryOperator::Eq, right })
        };
        let and = |one: Expr, other: Expr| Expr::BinaryOp {
            left: Box::new(one),
            op: BinaryOperator::And,
            right: Box::new(other),
        };
        names.iter().map(both).collect::<Option<Vec<Expr>>>()?.into_iter().reduce(and).map(build::nested)
    }

    /// The column that a name without a relation means.
    fn column(&self, name: &Ident) -> Option<Expr> {
        let (_, relation) = self.columns.iter().find(|(known, _)| same(known, name))?;
        Some(Expr::CompoundIdentifier(vec![relation.clone(), name.clone()]))
    }

    fn qualify(&self, expr: &mut Expr) {
        let _ = VisitMut::visit(expr, &mut Qualify { chain: self, depth: 0 });
    }

    /// Whether an item can be written for what the chain becomes.
    fn shows(&self, item: &SelectItem) -> bool {
        let SelectItem::Wildcard(options) = item else { return true };
        let plain = WildcardAdditionalOptions { wildcard_token: options.wildcard_token.clone(), ..Default::default() };
        *options == plain && !self.is_partial
    }

    /// A `*` shows each column by which relations are joined once.
    fn item(&self, mut item: SelectItem) -> Vec<SelectItem> {
        match &mut item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => self.qualify(expr),
            SelectItem::Wildcard(_) => {
                let star = |(relation, hidden): (&Ident, &Vec<Ident>)| {
                    let kind = SelectItemQualifiedWildcardKind::ObjectName(ObjectName::from(vec![relation.clone()]));
                    let opt_exclude = (!hidden.is_empty()).then(|| ExcludeSelectItem::Multiple(hidden.clone()));
                    SelectItem::QualifiedWildcard(kind, WildcardAdditionalOptions { opt_exclude, ..Default::default() })
                };
                return self.relations.iter().zip(&self.hidden).map(star).collect();
            }
            SelectItem::QualifiedWildcard(..) => {}
        }
        vec![item]
    }
}

struct Qualify<'a> {
    chain: &'a Chain,
    depth: usize,
}

impl VisitorMut for Qualify<'_> {
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
            && let Expr::Identifier(name) = expr
            && let Some(column) = self.chain.column(name)
        {
            *expr = column;
        }
        ControlFlow::Continue(())
    }
}
