{# A query's rows over time: each change closes a row of the table and opens a new one. #}
{% materialization snapshot, default %}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- if existing_relation is not none and existing_relation.type != 'table' -%}
    {%- do exceptions.relation_wrong_type(existing_relation, 'table') -%}
  {%- endif -%}

  {%- do run_hooks(pre_hooks, inside_transaction=false) -%}
  {%- do run_hooks(pre_hooks, inside_transaction=true) -%}

  {%- set strategy_macro = strategy_dispatch(config.get('strategy')) -%}
  {%- set strategy = strategy_macro(model, 'snapshotted_data', 'source_data', model['config'], existing_relation is not none) -%}
  {%- if existing_relation is none -%}
    {%- call statement('main') -%}{{ create_table_as(false, target_relation, build_snapshot_table(strategy, sql)) }}{%- endcall -%}
    {%- do create_indexes(target_relation) -%}
    {%- set counts = count_snapshot(strategy, sql, none) -%}
  {%- else -%}
    {%- do assert_snapshot_columns(target_relation, strategy) -%}
    {%- set staging_table = build_snapshot_staging_table(strategy, sql, target_relation) -%}
    {%- call statement('main') -%}{{ get_snapshot_build_sql(target_relation, staging_table) }}{%- endcall -%}
    {%- set counts = count_snapshot(strategy, sql, staging_table) -%}
    {%- do post_snapshot(staging_table) -%}
  {%- endif -%}

  {%- do apply_grants(target_relation, config.get('grants'), should_revoke(existing_relation, full_refresh_mode=false)) -%}
  {%- do persist_docs(target_relation, model) -%}
  {%- do run_hooks(post_hooks, inside_transaction=true) -%}
  {%- do record_in_ledger(counts) -%}
  {%- do adapter.commit() -%}
  {%- do run_hooks(post_hooks, inside_transaction=false) -%}

  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{# Adds the columns that the query gives now, then brings the staged changes into the table. #}
{% macro get_snapshot_build_sql(target_relation, staging_table) -%}
  {%- set helpers = ['dbt_change_type'] + snapshot_key_names(config.get('unique_key')) -%}
  {%- set columns = adapter.get_columns_in_relation(staging_table) | rejectattr('name', 'in', helpers) | list -%}
  {%- do create_columns(target_relation, diff_columns(columns, adapter.get_columns_in_relation(target_relation))) -%}
  {{ return(snapshot_merge_sql(target_relation, staging_table, columns | map(attribute='quoted') | list)) }}
{%- endmacro %}
