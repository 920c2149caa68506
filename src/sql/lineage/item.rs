//! Turns an item of a `select` into the columns that it gives: `*` and `columns(…)` give many.

use std::ops::ControlFlow;

use sqlparser::ast::{
    ExcludeSelectItem, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, RenameSelectItem,
    Select, SelectItem, SelectItemQualifiedWildcardKind, Value, Visit, Visitor, WildcardAdditionalOptions,
};

use crate::sql::Location;
use crate::sql::lineage::query::Resolver;
use crate::sql::lineage::relation::parts;
use crate::sql::lineage::scope::{Columns, Scope, Source};
use crate::sql::lineage::{Null, Output};
use crate::sql::reader::start_of;

impl Resolver<'_> {
    pub fn item(&self, item: &SelectItem, scope: &Scope, select: &Select) -> Option<Vec<Output>> {
        match item {
            SelectItem::UnnamedExpr(expr) => self.expressions(expr, None, scope, select),
            SelectItem::ExprWithAlias { expr, alias } => self.expressions(expr, Some(alias), scope, select),
            SelectItem::Wildcard(options) => self.star(self.every(scope)?, options, scope, select),
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                let names: Vec<String> = parts(name)?.iter().map(|part| part.to_lowercase()).collect();
                let found = scope.sources.iter().find(|source| source.names.ends_with(&names))?;
                self.star(known(found)?, options, scope, select)
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(_), _) => None,
        }
    }

    fn expressions(&self, expr: &Expr, alias: Option<&Ident>, scope: &Scope, select: &Select) -> Option<Vec<Output>> {
        let uses = self.expression(expr, scope, &select.named_window)?;
        let Some(function) = columns_function(expr) else {
            let name = alias.map_or_else(|| name_of(expr), |alias| alias.value.clone());
            let at = Location::of(start_of(expr).start);
            return Some(vec![Output { name, uses, at, null: null_of(expr, scope) }]);
        };
        let every = self.every(scope).filter(|all| !all.iter().any(Output::is_rest))?;
        let chosen = match chosen(&function, every.clone()) {
            Some(chosen) => chosen,
            None => self.named(every)?,
        };
        let with_rest = |mut column: Output| {
            column.uses.add(&uses);
            column.null = Null::Unknown;
            column
        };
        Some(chosen.into_iter().map(with_rest).collect())
    }

    /// What a condition on names chooses, by the names that the result has; none inside of the query.
    fn named(&self, all: Vec<Output>) -> Option<Vec<Output>> {
        let names = self.names.filter(|_| self.depth.get() == 1)?;
        let is_there = |column: &Output| names.iter().any(|name| name.eq_ignore_ascii_case(&column.name));
        Some(all.into_iter().filter(is_there).collect())
    }

    /// Every column of every source, those of `using` once. The columns of a single source that nobody knows are those
    /// of the whole query.
    pub fn every(&self, scope: &Scope) -> Option<Vec<Output>> {
        if let ([Source { columns: Columns::Unknown(_) | Columns::Made(_), .. }], Some(names), 1) =
            (&scope.sources[..], self.names, self.depth.get())
        {
            let output = |name: &String| {
                let uses = scope.resolve(std::slice::from_ref(name)).unwrap_or_default();
                Output { name: name.clone(), uses, ..Output::default() }
            };
            return Some(names.iter().map(output).collect());
        }
        let mut all: Vec<Output> = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        for source in &scope.sources {
            for column in known(source)? {
                let merged = scope.merged.iter().find(|merged| merged.name.eq_ignore_ascii_case(&column.name));
                match merged {
                    Some(_) if seen.contains(&column.name.to_lowercase()) => {}
                    Some(merged) => {
                        seen.push(column.name.to_lowercase());
                        all.push(Output { uses: merged.uses.clone(), null: Null::Unknown, ..column });
                    }
                    None => all.push(column),
                }
            }
        }
        Some(all)
    }

    fn star(
        &self,
        columns: Vec<Output>,
        options: &WildcardAdditionalOptions,
        scope: &Scope,
        select: &Select,
    ) -> Option<Vec<Output>> {
        if options.opt_ilike.is_some() {
            return None;
        }
        let excluded: Vec<&Ident> = match &options.opt_exclude {
            Some(ExcludeSelectItem::Single(name)) => vec![name],
            Some(ExcludeSelectItem::Multiple(names)) => names.iter().collect(),
            None => Vec::new(),
        };
        let is_left = |column: &Output| !excluded.iter().any(|name| name.value.eq_ignore_ascii_case(&column.name));
        let mut columns: Vec<Output> = columns.into_iter().filter(is_left).collect();
        let is_there = |columns: &[Output], name: &str| columns.iter().any(|it| it.name.eq_ignore_ascii_case(name));
        for replaced in options.opt_replace.iter().flat_map(|replace| &replace.items) {
            if !is_there(&columns, &replaced.column_name.value) {
                return None;
            }
            let uses = self.expression(&replaced.expr, scope, &select.named_window)?;
            let same = |column: &&mut Output| column.name.eq_ignore_ascii_case(&replaced.column_name.value);
            let null = null_of(&replaced.expr, scope);
            columns.iter_mut().filter(same).for_each(|column| {
                column.uses = uses.clone();
                column.null = null;
            });
        }
        let renamed = match &options.opt_rename {
            Some(RenameSelectItem::Single(pair)) => vec![pair],
            Some(RenameSelectItem::Multiple(pairs)) => pairs.iter().collect(),
            None => Vec::new(),
        };
        for pair in renamed {
            if !is_there(&columns, &pair.ident.value) {
                return None;
            }
            let same = |column: &&mut Output| column.name.eq_ignore_ascii_case(&pair.ident.value);
            columns.iter_mut().filter(same).for_each(|column| column.name.clone_from(&pair.alias.value));
        }
        let at = Location::of(options.wildcard_token.0.span.start);
        columns.iter_mut().for_each(|column| column.at = at);
        Some(columns)
    }
}

/// The columns of a source, each with what decides its rows left out: the whole query has them already.
fn known(source: &Source) -> Option<Vec<Output>> {
    match &source.columns {
        Columns::Known(columns) => Some(columns.clone()),
        Columns::Unknown(relation) => Some(vec![Output::rest(relation)]),
        Columns::Made(_) => None,
    }
}

/// The name of a column without an alias, as far as later parts of the query can use it.
fn name_of(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(name) => name.value.clone(),
        Expr::CompoundIdentifier(parts) => parts.last().map_or_else(String::new, |part| part.value.clone()),
        Expr::Nested(inner) => name_of(inner),
        Expr::Cast { expr, .. } => name_of(expr),
        other => other.to_string(),
    }
}

/// Whether an expression can be null: only null itself and the columns of an outer join are known to be.
fn null_of(expr: &Expr, scope: &Scope) -> Null {
    match expr {
        Expr::Value(value) if value.value == Value::Null => Null::Always,
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => null_of(inner, scope),
        Expr::Identifier(name) => scope.null(std::slice::from_ref(&name.value)),
        Expr::CompoundIdentifier(parts) => scope.null(&parts.iter().map(|part| part.value.clone()).collect::<Vec<_>>()),
        _ => Null::Unknown,
    }
}

/// The call of `columns(…)` in an expression.
fn columns_function(expr: &Expr) -> Option<Function> {
    struct Search(Option<Function>);
    impl Visitor for Search {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("columns") => {
                    self.0 = Some(function.clone());
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    let mut search = Search(None);
    let _ = expr.visit(&mut search);
    search.0
}

/// The columns that `columns(*)`, `columns('pattern')` or `columns(['a', 'b'])` means.
fn chosen(function: &Function, all: Vec<Output>) -> Option<Vec<Output>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let [FunctionArg::Unnamed(argument)] = &list.args[..] else { return None };
    match argument {
        FunctionArgExpr::Wildcard => Some(all),
        FunctionArgExpr::Expr(Expr::Value(value)) => {
            let Value::SingleQuotedString(pattern) = &value.value else { return None };
            let pattern = fancy_regex::Regex::new(pattern).ok()?;
            Some(all.into_iter().filter(|column| pattern.is_match(&column.name).unwrap_or(false)).collect())
        }
        FunctionArgExpr::Expr(Expr::Array(array)) => {
            let names: Vec<String> =
                array.elem.iter().map(|name| name.to_string().trim_matches('\'').to_lowercase()).collect();
            Some(all.into_iter().filter(|column| names.contains(&column.name.to_lowercase())).collect())
        }
        _ => None,
    }
}
