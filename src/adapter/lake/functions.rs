//! Turns a DataFusion session into one whose operators and functions mean what they mean in DuckDB.

mod aggregates;
mod arithmetic;
pub mod casts;
mod coercion;
mod dates;
mod formats;
mod intervals;
pub mod json;
mod json_values;
pub mod keyed;
mod lists;
mod nested;
mod numbers;
mod one_type;
mod operators;
mod patterns;
mod pivots;
mod prints;
pub mod scalar;
mod texts;
mod times;

use std::sync::Arc;

use datafusion::execution::{FunctionRegistry, SessionState, SessionStateBuilder};
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::optimizer::AnalyzerRule;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::adapter::lake::functions::coercion::{Unions, Values};
use crate::adapter::lake::functions::operators::Operators;
use crate::adapter::lake::functions::pivots::Pivots;
use crate::adapter::lake::functions::scalar::Scalar;

/// Adds the functions and the meaning of operators; those of DataFusion with the same names are replaced.
pub fn register(ctx: &SessionContext) {
    // First, as a state that is built anew has DataFusion's own functions.
    let with_rules = with_rules(ctx.state());
    *ctx.state_ref().write() = with_rules;
    let packs = [
        arithmetic::ALL,
        casts::ALL,
        dates::ALL,
        formats::ALL,
        intervals::ALL,
        json::ALL,
        json_values::ALL,
        lists::ALL,
        nested::ALL,
        numbers::ALL,
        patterns::ALL,
        prints::ALL,
        texts::ALL,
    ];
    for spec in packs.into_iter().flatten() {
        ctx.register_udf(ScalarUDF::from(Scalar::new(spec)));
    }
    one_type::register(ctx);
    keyed::register(ctx, None);
    ctx.register_udaf(AggregateUDF::from(aggregates::Sum::default()));
    ctx.register_udaf(AggregateUDF::from(aggregates::Pick::new(aggregates::Picked::Only)));
    ctx.register_udaf(AggregateUDF::from(aggregates::Pick::new(aggregates::Picked::Commonest)));
    ctx.register_udaf(AggregateUDF::from(aggregates::QuantileCont::new("quantile_cont")));
    ctx.register_udaf(AggregateUDF::from(aggregates::QuantileCont::new("median")));
    let state = ctx.state_ref();
    let mut state = state.write();
    // A session takes any planner: only registries that cannot plan refuse them.
    let _ = state.register_expr_planner(Arc::new(Operators));
    let _ = state.register_function_rewrite(Arc::new(Values));
    let _ = state.register_relation_planner(Arc::new(Pivots));
}

/// The rule of unions comes before DataFusion's own.
fn with_rules(state: SessionState) -> SessionState {
    let rules = state.analyzer().rules.clone();
    let all = [Arc::new(Unions) as Arc<dyn AnalyzerRule + Send + Sync>].into_iter().chain(rules).collect();
    SessionStateBuilder::new_from_existing(state).with_analyzer_rules(all).build()
}

/// How DataFusion reads literals, orders NULLs and tells the time, so that it is as in DuckDB.
pub fn settings(config: SessionConfig) -> SessionConfig {
    let mut config = config;
    let options = config.options_mut();
    options.sql_parser.parse_float_as_decimal = true;
    options.sql_parser.default_null_ordering = "nulls_last".to_string();
    options.sql_parser.map_string_types_to_utf8view = false;
    options.sql_parser.recursion_limit = 200;
    options.execution.time_zone = Some("UTC".to_string());
    config
}
