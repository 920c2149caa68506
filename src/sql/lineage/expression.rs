//! Turns an expression into the columns that it uses.

use std::ops::ControlFlow;
use std::rc::Rc;

use sqlparser::ast::{
    AccessExpr, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator, FunctionArguments, Ident,
    LambdaFunction, NamedWindowDefinition, NamedWindowExpr, OneOrManyWithParens, Query, Visit, Visitor, WindowSpec,
    WindowType,
};

use crate::sql::lineage::Uses;
use crate::sql::lineage::query::Resolver;
use crate::sql::lineage::scope::Scope;

impl Resolver<'_> {
    /// What an expression uses. None if a subquery in it cannot be followed.
    pub fn expression(&self, expr: &Expr, scope: &Scope, windows: &[NamedWindowDefinition]) -> Option<Uses> {
        let mut walk = Walk {
            resolver: self,
            scope,
            windows,
            uses: Uses::default(),
            queries: 0,
            indirect: 0,
            indirectly: Vec::new(),
            fields: Vec::new(),
            lambdas: Vec::new(),
            parameters: Vec::new(),
        };
        match expr.visit(&mut walk) {
            ControlFlow::Continue(()) => Some(walk.uses),
            ControlFlow::Break(()) => None,
        }
    }
}

struct Walk<'a> {
    resolver: &'a Resolver<'a>,
    scope: &'a Scope,
    windows: &'a [NamedWindowDefinition],
    uses: Uses,
    /// How many subqueries are around the present place; what is in them is not looked at here.
    queries: usize,
    /// How many expressions around the present place only decide rows.
    indirect: usize,
    /// Expressions that only decide rows, by address.
    indirectly: Vec<*const Expr>,
    /// Names of fields, by address, which are no columns.
    fields: Vec<*const Expr>,
    /// Lambdas, by address. The parser takes any `name -> expression` for one.
    lambdas: Vec<*const Expr>,
    /// Parameters of lambdas.
    parameters: Vec<String>,
}

/// Functions that take a lambda. Anywhere else an arrow takes a value out of JSON.
/// Source: <https://duckdb.org/docs/stable/sql/functions/lambda>.
const TAKE_LAMBDAS: [&str; 12] = [
    "apply",
    "array_apply",
    "array_filter",
    "array_reduce",
    "array_transform",
    "columns",
    "filter",
    "list_apply",
    "list_filter",
    "list_reduce",
    "list_transform",
    "reduce",
];

impl Visitor for Walk<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.queries += 1;
        if self.queries > 1 {
            return ControlFlow::Continue(());
        }
        let inner =
            Scope { ctes: self.scope.ctes.clone(), outer: Some(Rc::new(self.scope.clone())), ..Scope::default() };
        let Some(table) = self.resolver.query(query, &inner) else { return ControlFlow::Break(()) };
        for column in &table.columns {
            self.add(&column.uses);
        }
        self.uses.add_indirectly(&table.rows);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.queries -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if self.queries > 0 {
            return ControlFlow::Continue(());
        }
        if self.indirectly.contains(&std::ptr::from_ref(expr)) {
            self.indirect += 1;
        }
        match expr {
            Expr::Identifier(name) if !self.is_field(expr) => self.name(std::slice::from_ref(name)),
            Expr::CompoundIdentifier(parts) if !self.is_field(expr) => self.name(parts),
            Expr::CompoundFieldAccess { root, access_chain } => self.fields_of(root, access_chain),
            Expr::Function(function) => return self.function(function),
            Expr::Lambda(lambda) if self.lambdas.contains(&std::ptr::from_ref(expr)) => {
                self.parameters.extend(names(lambda).iter().map(|name| name.value.to_lowercase()));
            }
            Expr::Lambda(arrow) => names(arrow).iter().for_each(|name| self.name(std::slice::from_ref(name))),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if self.queries > 0 {
            return ControlFlow::Continue(());
        }
        if self.indirectly.contains(&std::ptr::from_ref(expr)) {
            self.indirect -= 1;
        }
        if let Expr::Lambda(lambda) = expr
            && self.lambdas.contains(&std::ptr::from_ref(expr))
        {
            self.parameters.truncate(self.parameters.len() - names(lambda).len());
        }
        ControlFlow::Continue(())
    }
}

/// What stands before the arrow.
fn names(lambda: &LambdaFunction) -> &[Ident] {
    match &lambda.params {
        OneOrManyWithParens::One(name) => std::slice::from_ref(name),
        OneOrManyWithParens::Many(names) => names,
    }
}

impl Walk<'_> {
    fn add(&mut self, uses: &Uses) {
        if self.indirect > 0 { self.uses.add_indirectly(uses) } else { self.uses.add(uses) }
    }

    fn is_field(&self, expr: &Expr) -> bool {
        self.fields.contains(&std::ptr::from_ref(expr))
    }

    fn name(&mut self, parts: &[Ident]) {
        let parts: Vec<String> = parts.iter().map(|part| part.value.clone()).collect();
        if self.parameters.contains(&parts[0].to_lowercase()) {
            return;
        }
        if let Some(uses) = self.scope.resolve(&parts) {
            self.add(&uses);
        }
    }

    /// `relation.column[1].field`: the names behind the first dots are one name with what stands before them.
    fn fields_of(&mut self, root: &Expr, chain: &[AccessExpr]) {
        let mut parts: Vec<Ident> = match root {
            Expr::Identifier(name) => vec![name.clone()],
            Expr::CompoundIdentifier(names) => names.clone(),
            _ => Vec::new(),
        };
        let mut behind_root = !parts.is_empty();
        for access in chain {
            match access {
                AccessExpr::Dot(field) => {
                    self.fields.push(std::ptr::from_ref(field));
                    match field {
                        Expr::Identifier(name) if behind_root => parts.push(name.clone()),
                        _ => {}
                    }
                }
                AccessExpr::Subscript(_) => behind_root = false,
            }
        }
        if !parts.is_empty() {
            self.fields.push(std::ptr::from_ref(root));
            self.name(&parts);
        }
    }

    fn function(&mut self, function: &Function) -> ControlFlow<()> {
        if let Some(filter) = &function.filter {
            self.indirectly.push(std::ptr::from_ref(&**filter));
        }
        if let FunctionArguments::List(list) = &function.args {
            let name = function.name.0.last().map(ToString::to_string).unwrap_or_default().to_lowercase();
            let takes_lambdas = TAKE_LAMBDAS.contains(&name.as_str());
            for arg in &list.args {
                if let FunctionArg::Unnamed(FunctionArgExpr::Expr(lambda)) = arg
                    && takes_lambdas
                {
                    self.lambdas.push(std::ptr::from_ref(lambda));
                }
                // The parser takes `f(a = 1)` for a named argument, but it is a comparison.
                if let FunctionArg::Named { name, operator: FunctionArgOperator::Equals, .. } = arg {
                    self.name(std::slice::from_ref(name));
                }
            }
        }
        match &function.over {
            Some(WindowType::WindowSpec(window)) => self.window(window),
            Some(WindowType::NamedWindow(name)) => return self.named_window(name),
            None => {}
        }
        ControlFlow::Continue(())
    }

    fn window(&mut self, window: &WindowSpec) {
        self.indirectly.extend(window.partition_by.iter().map(std::ptr::from_ref));
        self.indirectly.extend(window.order_by.iter().map(|order| std::ptr::from_ref(&order.expr)));
    }

    fn named_window(&mut self, name: &Ident) -> ControlFlow<()> {
        let found = self.windows.iter().find(|window| window.0.value.eq_ignore_ascii_case(&name.value));
        if let Some(NamedWindowDefinition(_, NamedWindowExpr::WindowSpec(window))) = found {
            let orders = window.order_by.iter().map(|order| &order.expr);
            for expr in window.partition_by.iter().chain(orders) {
                let Some(uses) = self.resolver.expression(expr, self.scope, &[]) else { return ControlFlow::Break(()) };
                self.uses.add_indirectly(&uses);
            }
        }
        ControlFlow::Continue(())
    }
}
