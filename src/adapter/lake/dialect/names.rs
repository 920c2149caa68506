//! Turns an expression without a name into the name that DuckDB gives its column.

use sqlparser::ast::{
    CastKind, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, SelectItem, UnaryOperator,
};

/// Names every item of a select, and tells items of one name apart as DuckDB does (`id`, `id_1`).
///
/// `relations` are the names of what FROM reads: any other first part of a name is a struct.
pub fn give(items: &mut [SelectItem], relations: &[String]) {
    let mut seen: Vec<String> = Vec::new();
    for item in items {
        let (name, written) = match item {
            SelectItem::ExprWithAlias { alias, .. } => (alias.value.to_lowercase(), true),
            SelectItem::UnnamedExpr(expr) => match expr {
                Expr::Identifier(ident) => (ident.value.to_lowercase(), true),
                Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                    [first, .., last] => {
                        let of_relation = parts.len() == 2 && relations.contains(&first.value.to_lowercase());
                        (last.value.to_lowercase(), of_relation)
                    }
                    _ => continue,
                },
                other => (of(other).to_lowercase(), false),
            },
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => continue,
        };
        let unique = unique(&name, &seen);
        if !written || unique != name {
            rename(item, &unique);
        }
        seen.push(unique);
    }
}

fn unique(name: &str, seen: &[String]) -> String {
    let mut unique = name.to_string();
    let mut count = 0;
    while seen.contains(&unique) {
        count += 1;
        unique = format!("{name}_{count}");
    }
    unique
}

fn rename(item: &mut SelectItem, name: &str) {
    let alias = Ident::with_quote('"', name);
    let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { return };
    let expr = std::mem::replace(expr, Expr::Identifier(alias.clone()));
    *item = SelectItem::ExprWithAlias { expr, alias };
}

/// As DuckDB writes an expression: functions in lower case, operators in brackets.
fn of(expr: &Expr) -> String {
    match expr {
        Expr::Nested(inner) => of(inner),
        Expr::Identifier(ident) => ident.value.clone(),
        Expr::CompoundIdentifier(parts) => parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join("."),
        Expr::BinaryOp { left, op, right } => format!("({} {op} {})", of(left), of(right)),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => format!("-{}", of(expr)),
        Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type, .. } => {
            format!("CAST({} AS {data_type})", of(expr))
        }
        Expr::Function(function) if function.over.is_none() && function.filter.is_none() => {
            let name = function.name.to_string().to_lowercase();
            let FunctionArguments::List(list) = &function.args else { return name };
            let [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] = list.args.as_slice() else {
                let args: Vec<String> = list.args.iter().map(of_argument).collect();
                let distinct = if list.duplicate_treatment.is_some() { "DISTINCT " } else { "" };
                return format!("{name}({distinct}{})", args.join(", "));
            };
            format!("{name}_star()")
        }
        other => other.to_string(),
    }
}

fn of_argument(arg: &FunctionArg) -> String {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => of(expr),
        other => other.to_string(),
    }
}
