//! Turns the body of a query into its selects: one, or those of all parts of a set operation.

use sqlparser::ast::{Select, SetExpr};

/// Shows every select of a body, without those of its subqueries.
pub fn each(body: &SetExpr, show: &mut dyn FnMut(&Select)) {
    match body {
        SetExpr::Select(select) => show(select),
        SetExpr::SetOperation { left, right, .. } => [left, right].into_iter().for_each(|part| each(part, show)),
        _ => {}
    }
}

/// The same, to change them.
pub fn each_mut(body: &mut SetExpr, change: &mut dyn FnMut(&mut Select)) {
    match body {
        SetExpr::Select(select) => change(select),
        SetExpr::SetOperation { left, right, .. } => [left, right].into_iter().for_each(|part| each_mut(part, change)),
        _ => {}
    }
}
