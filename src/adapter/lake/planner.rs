//! Turns plans of queries into those that run: as Delta Lake makes them, with joins that know what NULL means.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::tree_node::TreeNode;
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use deltalake_core::delta_datafusion::planner::DeltaPlanner;

/// Makes plans that run.
#[derive(Debug)]
pub struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, state: &SessionState) -> Result<Arc<dyn ExecutionPlan>> {
        // `x not in (select y …)` is empty if a `y` is NULL, which joins by sorting do not see.
        let needs_hash_join = |plan: &LogicalPlan| Ok(matches!(plan, LogicalPlan::Join(join) if join.null_aware));
        if state.config_options().optimizer.prefer_hash_join || !plan.exists(needs_hash_join)? {
            return DeltaPlanner.create_physical_plan(plan, state).await;
        }
        let mut state = state.clone();
        state.config_mut().options_mut().optimizer.prefer_hash_join = true;
        DeltaPlanner.create_physical_plan(plan, &state).await
    }
}
