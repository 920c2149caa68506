//! Turns calls of DuckDB's functions into calls of functions that give the same values, and refuses all others.
//!
//! `calls.sql` has the rewritten ones, as DuckDB macros. A function that is in no list is refused, also where DataFusion
//! has one of that name: no call may change its meaning in silence.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList,
    FunctionArguments, MacroDefinition, OrderByExpr, Spanned, Statement, Value, VisitMut, VisitorMut, WindowFrame,
    WindowFrameBound, WindowFrameUnits, WindowType,
};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Span;

use crate::adapter::AdapterError;
use crate::adapter::lake::dialect::grammar::{self, Grammar};
use crate::adapter::lake::dialect::refusal::refuse;
use crate::adapter::lake::dialect::{build, literals};
use crate::diagnostic::nearest;

/// Functions of one value a row with the same meaning in DataFusion, or brought by `functions/`.
const SCALARS: &str = "abs array_append array_concat array_distinct array_has array_has_all array_has_any array_prepend \
    array_to_string ascii ceil chr coalesce concat concat_ws contains date_diff date_part \
    date_sub ends_with epoch_ms floor format from_json get_field greatest isfinite isinf isnan json json_array_length \
    json_exists json_extract json_extract_string json_keys json_type json_valid last_day least left len ln log10 log2 \
    lower lpad ltrim make_date make_timestamp md5 md5_number_lower medal_cast medal_keyed_hash medal_object medal_timestamp \
    medal_try_cast named_struct nullif pi \
    printf random range regexp_extract regexp_extract_all regexp_full_match regexp_matches regexp_replace \
    regexp_split_to_array repeat replace reverse right round rpad rtrim sha1 sha256 sign split_part sqrt \
    starts_with strftime string_split strlen strpos strptime substr timezone to_json to_days to_hours \
    to_microseconds to_milliseconds to_minutes to_months to_seconds to_timestamp to_uuid to_years translate trim \
    trunc try_json try_strptime try_to_uuid unnest upper";

/// Functions over the rows of a group or window.
const AGGREGATES: &str = "array_agg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp cume_dist \
    first_value grouping lag last_value lead max median min mode nth_value percent_rank percentile_cont \
    quantile_cont regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy \
    stddev stddev_pop stddev_samp string_agg sum var_pop var_samp dense_rank ntile rank row_number";

/// Functions whose result has the type of their arguments, so that a literal among these needs DuckDB's type.
const POLYMORPHIC: &str = "abs add any_value arg_max arg_min array_agg array_append array_prepend list_append \
    list_prepend coalesce first first_value greatest ifnull if lag \
    last last_value lead least list list_value list_pack max max_by min min_by mode multiply nullif struct_pack subtract sum to_json";

/// Functions whose result has the type of their first argument.
const LIKE_FIRST: &str = "ceil ceiling floor round sign trunc";

/// Functions of windows that look at no frame.
const FRAMELESS: &str = "dense_rank lag lead ntile rank row_number";

fn is_in(list: &str, name: &str) -> bool {
    list.split_whitespace().any(|word| word == name)
}

/// A call that DuckDB knows by one name and DataFusion by an expression.
struct Macro {
    name: String,
    parameters: Vec<String>,
    body: Expr,
}

static MACROS: LazyLock<Vec<Macro>> = LazyLock::new(|| {
    let text = include_str!("calls.sql");
    let tokens = grammar::tokens(text).unwrap_or_default();
    let statements = Parser::new(&Grammar).with_tokens_with_locations(tokens).parse_statements();
    statements.unwrap_or_default().into_iter().filter_map(read_macro).collect()
});

fn read_macro(statement: Statement) -> Option<Macro> {
    let Statement::CreateMacro { name, args, definition: MacroDefinition::Expr(body), .. } = statement else {
        return None;
    };
    let parameters = args.unwrap_or_default().into_iter().map(|arg| arg.name.value).collect();
    Some(Macro { name: name.to_string(), parameters, body })
}

/// Whether an expression, as the user wrote it, has an aggregate or a window, and so is no group.
pub fn aggregates(expr: &Expr) -> bool {
    let mut found = false;
    let _: ControlFlow<()> = sqlparser::ast::visit_expressions(expr, |expr| {
        if let Expr::Function(function) = expr {
            let name = function.name.to_string().to_lowercase();
            let expands = |known: &&Macro| known.name == name && known.name != "if";
            found |= function.over.is_some() || is_in(AGGREGATES, &name);
            found |= MACROS.iter().find(expands).is_some_and(|known| known.body != *expr && aggregates(&known.body));
        }
        ControlFlow::Continue(())
    });
    found
}

/// A call with plain arguments.
pub fn rewrite_named(name: &str, args: Vec<Expr>, span: Span) -> Result<Expr, AdapterError> {
    let Expr::Function(mut function) = build::call(name, args) else { return Err(unknown(name, span)) };
    if let Some(part) = function.name.0.first_mut()
        && let sqlparser::ast::ObjectNamePart::Identifier(ident) = part
    {
        ident.span = span;
    }
    rewrite(function)
}

/// A call as the user wrote it, with rewritten arguments.
pub fn rewrite(mut function: Function) -> Result<Expr, AdapterError> {
    let name = function.name.to_string().to_lowercase().replace('"', "");
    let name = name.strip_prefix("main.").unwrap_or(&name).to_string();
    let span = function.name.span();
    if is_in(POLYMORPHIC, &name) {
        expressions(&mut function).for_each(literals::give_type);
    }
    if is_in(LIKE_FIRST, &name) {
        expressions(&mut function).take(1).for_each(literals::give_type);
    }
    let count = expressions(&mut function).count();
    if is_in(FRAMELESS, &name) {
        frame(&mut function);
    }
    if name == "struct_pack" {
        return struct_pack(function);
    }
    if name == "percentile_cont" {
        quantile(&mut function);
    }
    if let Some(found) = MACROS.iter().find(|found| found.name == name && found.parameters.len() == count) {
        return expand(found, function);
    }
    if !is_in(SCALARS, &name) && !is_in(AGGREGATES, &name) {
        return Err(unknown(&name, span));
    }
    default_separator(&name, &mut function);
    Ok(Expr::Function(function))
}

/// The frame that DataFusion takes without one cannot be had in an order of structs.
fn frame(function: &mut Function) {
    if let Some(WindowType::WindowSpec(window)) = &mut function.over
        && window.window_frame.is_none()
        && !window.order_by.is_empty()
    {
        let start_bound = WindowFrameBound::Preceding(None);
        window.window_frame = Some(WindowFrame { units: WindowFrameUnits::Rows, start_bound, end_bound: None });
    }
}

/// The function that was meant. A name that differs in more than a letter or two may as well be another function of
/// DuckDB, and so may a short one.
fn misspelt(name: &str) -> Option<&'static str> {
    let lists = [SCALARS, AGGREGATES].into_iter().flat_map(str::split_whitespace);
    let known = lists.chain(MACROS.iter().map(|found| found.name.as_str())).filter(|name| !name.starts_with("medal_"));
    let is_near = |near: &&str| (1..=(name.len() / 5).max(1)).contains(&strsim::damerau_levenshtein(name, near));
    nearest(name, known).filter(is_near).filter(|_| name.len() > 3)
}

fn unknown(name: &str, span: Span) -> AdapterError {
    let way = match name {
        "columns" => "name the columns",
        "hash" => "use `md5` or `sha256`, whose values are the same on every engine",
        "approx_count_distinct" => "use `count(distinct …)`",
        "approx_quantile" => "use `quantile_cont`",
        _ if name.starts_with("list_") || name.starts_with("array_") => "unnest the list instead",
        _ => match misspelt(name) {
            Some(near) => return refuse(span, format!("the function `{name}` does not exist; did you mean `{near}`?")),
            None => "write it with functions that `docs/dialect.md` lists",
        },
    };
    refuse(span, format!("the function `{name}` with these arguments has no equal on DataFusion; {way}"))
}

/// DataFusion needs a separator.
fn default_separator(name: &str, function: &mut Function) {
    if name == "string_agg"
        && let FunctionArguments::List(list) = &mut function.args
        && list.args.len() == 1
    {
        list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Expr(build::text(","))));
    }
}

/// `percentile_cont(share) within group (order by x)` is `quantile_cont(x, share)`, counted from the other end for `desc`.
fn quantile(function: &mut Function) {
    let FunctionArguments::List(list) = &mut function.args else { return };
    let Some(order) = function.within_group.pop() else { return };
    function.name = sqlparser::ast::ObjectName::from(vec![sqlparser::ast::Ident::new("quantile_cont")]);
    let value = FunctionArg::Unnamed(FunctionArgExpr::Expr(order.expr));
    if order.options.asc == Some(false)
        && let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(share))) = list.args.first_mut()
    {
        *share = Expr::BinaryOp {
            left: Box::new(Expr::value(Value::Number("1".to_string(), false))),
            op: sqlparser::ast::BinaryOperator::Minus,
            right: Box::new(build::take(share)),
        };
    }
    list.args.insert(0, value);
}

/// `struct_pack(a := 1)` and `struct_pack(a = 1)`.
fn struct_pack(function: Function) -> Result<Expr, AdapterError> {
    let span = function.name.span();
    let FunctionArguments::List(list) = function.args else { return Err(unknown("struct_pack", span)) };
    let mut args = Vec::new();
    for arg in list.args {
        let FunctionArg::Named { name, arg: FunctionArgExpr::Expr(mut value), .. } = arg else {
            return Err(unknown("struct_pack", span));
        };
        literals::give_type(&mut value);
        args.extend([build::text(&name.value), value]);
    }
    Ok(build::call("named_struct", args))
}

/// The arguments that are expressions.
fn expressions(function: &mut Function) -> impl Iterator<Item = &mut Expr> {
    let args = match &mut function.args {
        FunctionArguments::List(list) => list.args.as_mut_slice(),
        _ => &mut [],
    };
    args.iter_mut().filter_map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
        | FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. } => Some(expr),
        _ => None,
    })
}

/// Puts the arguments in the place of the parameters, and what the call says besides onto the aggregates of the body.
fn expand(found: &Macro, mut function: Function) -> Result<Expr, AdapterError> {
    let args: Vec<Expr> = expressions(&mut function).map(|expr| argument(expr.clone())).collect();
    let mut body = found.body.clone();
    let outer = Outer::of(&function);
    let mut fill = Fill { parameters: &found.parameters, args: &args, outer: &outer, placed: false };
    let span = function.name.span();
    let _: ControlFlow<()> = body.visit(&mut fill);
    if !fill.placed && !outer.is_empty() {
        return Err(refuse(
            span,
            format!("`{}` takes no FILTER, OVER, ORDER BY or DISTINCT on DataFusion", found.name),
        ));
    }
    Ok(build::nested(body))
}

/// Brackets round what could fall apart beside an operator.
fn argument(expr: Expr) -> Expr {
    match expr {
        Expr::BinaryOp { .. } | Expr::UnaryOp { .. } | Expr::Between { .. } => build::nested(expr),
        other => other,
    }
}

/// What a call of an aggregate says besides its arguments.
struct Outer {
    filter: Option<Box<Expr>>,
    over: Option<WindowType>,
    null_treatment: Option<sqlparser::ast::NullTreatment>,
    distinct: Option<DuplicateTreatment>,
    clauses: Vec<FunctionArgumentClause>,
    within_group: Vec<OrderByExpr>,
}

impl Outer {
    fn of(function: &Function) -> Outer {
        let list = match &function.args {
            FunctionArguments::List(list) => list.clone(),
            _ => FunctionArgumentList { duplicate_treatment: None, args: Vec::new(), clauses: Vec::new() },
        };
        Outer {
            filter: function.filter.clone(),
            over: function.over.clone(),
            null_treatment: function.null_treatment,
            distinct: list.duplicate_treatment,
            clauses: list.clauses,
            within_group: function.within_group.clone(),
        }
    }

    fn is_empty(&self) -> bool {
        self.filter.is_none()
            && self.over.is_none()
            && self.null_treatment.is_none()
            && self.distinct.is_none()
            && self.clauses.is_empty()
            && self.within_group.is_empty()
    }

    fn place(&self, function: &mut Function) {
        function.filter = match (function.filter.take(), self.filter.clone()) {
            (Some(own), Some(outer)) => Some(Box::new(Expr::BinaryOp {
                left: Box::new(build::nested(*own)),
                op: sqlparser::ast::BinaryOperator::And,
                right: Box::new(build::nested(*outer)),
            })),
            (own, outer) => own.or(outer),
        };
        function.over = self.over.clone();
        function.null_treatment = function.null_treatment.or(self.null_treatment);
        function.within_group.extend(self.within_group.clone());
        if let FunctionArguments::List(list) = &mut function.args {
            list.duplicate_treatment = list.duplicate_treatment.or(self.distinct);
            list.clauses.extend(self.clauses.clone());
        }
    }
}

struct Fill<'a> {
    parameters: &'a [String],
    args: &'a [Expr],
    outer: &'a Outer,
    placed: bool,
}

impl VisitorMut for Fill<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => {
                if let Some(at) = self.parameters.iter().position(|parameter| *parameter == ident.value) {
                    *expr = self.args.get(at).cloned().unwrap_or(Expr::value(Value::Null));
                }
            }
            // Its parts are filled: what comes from outside has names of the user, not of parameters.
            Expr::Function(function) if is_in(AGGREGATES, &function.name.to_string()) => {
                self.outer.place(function);
                self.placed = true;
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
