{# A model as a table that is built once and then takes new rows; `incremental_strategy` says how. #}
{% materialization incremental, default %}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- set rebuild = existing_relation is none or existing_relation.type != 'table' or should_full_refresh() -%}

  {%- do run_hooks(pre_hooks, inside_transaction=false) -%}
  {%- do run_hooks(pre_hooks, inside_transaction=true) -%}

  {%- if rebuild -%}
    {%- set kept = make_way(existing_relation) -%}
    {%- set sifted = build_sifted(existing_relation, target_relation, sql) -%}
    {%- do come_back(kept) -%}
    {%- do create_indexes(target_relation) -%}
  {%- else -%}
    {%- set temp_relation = make_temp_relation(target_relation) -%}
    {%- call statement('stage') -%}{{ stage_sifted_sql(temp_relation, sql, adds=true) }}{%- endcall -%}
    {%- set sifted = sift(temp_relation, is_anew=false) -%}
    {%- call statement('main') -%}{{ get_incremental_build_sql(existing_relation, target_relation, temp_relation) }}{%- endcall -%}
    {%- do drop_relation(temp_relation) -%}
  {%- endif -%}

  {%- do apply_grants(target_relation, config.get('grants'), should_revoke(existing_relation, rebuild)) -%}
  {%- do persist_docs(target_relation, model) -%}
  {%- do run_hooks(post_hooks, inside_transaction=true) -%}
  {%- do adapter.commit() -%}
  {%- do run_hooks(post_hooks, inside_transaction=false) -%}

  {{ return({'relations': [target_relation], 'sifted': sifted}) }}
{% endmaterialization %}

{# Applies `on_schema_change`, then asks the strategy for the SQL that brings the staged rows into the target. #}
{% macro get_incremental_build_sql(existing_relation, target_relation, temp_relation) -%}
  {%- set on_schema_change = incremental_validate_on_schema_change(config.get('on_schema_change')) -%}
  {%- set dest_columns = process_schema_changes(on_schema_change, temp_relation, existing_relation)
      or adapter.get_columns_in_relation(existing_relation) -%}
  {%- do refuse_loss(temp_relation, target_relation) if is_published -%}
  {%- set strategy = adapter.get_incremental_strategy_macro(context, config.get('incremental_strategy') or 'default') -%}
  {{ return(strategy({
    'target_relation': target_relation,
    'temp_relation': temp_relation,
    'unique_key': config.get('unique_key'),
    'dest_columns': dest_columns,
    'incremental_predicates': config.get('predicates') or config.get('incremental_predicates'),
  })) }}
{%- endmacro %}
