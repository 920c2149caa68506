{# `on_schema_change`: what an incremental model does when its query gives other columns than its table has. #}

{% macro incremental_validate_on_schema_change(on_schema_change, default='ignore') -%}
  {%- set known = on_schema_change in ['ignore', 'fail', 'append_new_columns', 'sync_all_columns'] -%}
  {%- if on_schema_change and not known -%}
    {%- do log("unknown `on_schema_change` " ~ on_schema_change ~ ", taken as " ~ default) -%}
  {%- endif -%}
  {{ return(on_schema_change if known else default) }}
{%- endmacro %}

{# The columns of the source that the target does not have. #}
{% macro diff_columns(source_columns, target_columns) -%}
  {{ return(source_columns | rejectattr('name', 'in', target_columns | map(attribute='name') | list) | list) }}
{%- endmacro %}

{# The columns of the source that the target has, too. #}
{% macro intersect_columns(source_columns, target_columns) -%}
  {{ return(source_columns | selectattr('name', 'in', target_columns | map(attribute='name') | list) | list) }}
{%- endmacro %}

{% macro diff_column_data_types(source_columns, target_columns) -%}
  {{ return(adapter.dispatch('diff_column_data_types', 'dbt')(source_columns, target_columns)) }}
{%- endmacro %}

{% macro default__diff_column_data_types(source_columns, target_columns) -%}
  {%- set types = {} -%}
  {%- set changed = [] -%}
  {%- for column in target_columns -%}{%- do types.update({column.name: column.data_type}) -%}{%- endfor -%}
  {%- for column in source_columns if column.name in types and types[column.name] != column.data_type -%}
    {%- do changed.append({'column_name': column.name, 'new_type': column.data_type}) -%}
  {%- endfor -%}
  {{ return(changed) }}
{%- endmacro %}

{% macro check_for_schema_changes(source_relation, target_relation) -%}
  {{ return(adapter.dispatch('check_for_schema_changes', 'dbt')(source_relation, target_relation)) }}
{%- endmacro %}

{% macro default__check_for_schema_changes(source_relation, target_relation) -%}
  {%- set source_columns = adapter.get_columns_in_relation(source_relation) -%}
  {%- set target_columns = adapter.get_columns_in_relation(target_relation) -%}
  {%- set added = diff_columns(source_columns, target_columns) -%}
  {%- set removed = diff_columns(target_columns, source_columns) -%}
  {%- set retyped = diff_column_data_types(source_columns, target_columns) -%}
  {{ return({
    'schema_changed': (added or removed or retyped) | length > 0,
    'source_not_in_target': added,
    'target_not_in_source': removed,
    'source_columns': source_columns,
    'target_columns': target_columns,
    'new_target_types': retyped,
  }) }}
{%- endmacro %}

{% macro sync_column_schemas(on_schema_change, target_relation, schema_changes_dict) -%}
  {{ return(adapter.dispatch('sync_column_schemas', 'dbt')(on_schema_change, target_relation, schema_changes_dict)) }}
{%- endmacro %}

{% macro default__sync_column_schemas(on_schema_change, target_relation, schema_changes_dict) -%}
  {%- set sync = on_schema_change == 'sync_all_columns' -%}
  {%- set added = schema_changes_dict['source_not_in_target'] -%}
  {%- set removed = schema_changes_dict['target_not_in_source'] if sync else [] -%}
  {%- if added or removed -%}
    {%- do alter_relation_add_remove_columns(target_relation, added, removed) -%}
  {%- endif -%}
  {%- for change in schema_changes_dict['new_target_types'] if sync -%}
    {%- do assert_values_fit(target_relation, schema_changes_dict['target_columns'], change) -%}
    {%- do alter_column_type(target_relation, change['column_name'], change['new_type']) -%}
  {%- endfor -%}
  {%- do log(target_relation ~ " was changed as `" ~ on_schema_change ~ "` says: " ~ schema_changes_text(schema_changes_dict)) -%}
{%- endmacro %}

{# A column takes another type only if each of its values comes through and back unchanged. #}
{% macro assert_values_fit(relation, columns, change) -%}
  {%- set column = columns | selectattr('name', 'equalto', change['column_name']) | first -%}
  {%- call statement('changed_values', fetch_result=true) -%}
    select count(*)
    from {{ relation }}
    where cast(cast({{ column.quoted }} as {{ change['new_type'] }}) as {{ column.data_type }}) is distinct from {{ column.quoted }}
  {%- endcall -%}
  {%- set changed = load_result('changed_values')['data'][0][0] -%}
  {%- if changed -%}
    {%- do exceptions.raise_compiler_error(
      "column " ~ column.name ~ " of " ~ relation ~ " cannot become " ~ change['new_type'] ~ ": " ~ changed
      ~ " values would change. Cast the column in the query, or run with --full-refresh."
    ) -%}
  {%- endif -%}
{%- endmacro %}

{% macro schema_changes_text(schema_changes_dict) -%}
  new columns: {{ schema_changes_dict['source_not_in_target'] | map(attribute='name') | join(', ') or 'none' }};
  columns that the query no longer gives: {{ schema_changes_dict['target_not_in_source'] | map(attribute='name') | join(', ') or 'none' }};
  columns of another type: {{ schema_changes_dict['new_target_types'] | map(attribute='column_name') | join(', ') or 'none' }}
{%- endmacro %}

{# Applies `on_schema_change`, and gives the columns to insert; none if the table's own columns stand. #}
{% macro process_schema_changes(on_schema_change, source_relation, target_relation) -%}
  {{ return(adapter.dispatch('process_schema_changes', 'dbt')(on_schema_change, source_relation, target_relation)) }}
{%- endmacro %}

{% macro default__process_schema_changes(on_schema_change, source_relation, target_relation) -%}
  {%- if on_schema_change == 'ignore' -%}{{ return({}) }}{%- endif -%}
  {%- set changes = check_for_schema_changes(source_relation, target_relation) -%}
  {%- if changes['schema_changed'] -%}
    {%- if on_schema_change == 'fail' -%}
      {%- do exceptions.raise_compiler_error(
        "the query gives other columns than " ~ target_relation ~ " has: " ~ schema_changes_text(changes)
        ~ ". Run with --full-refresh, or set `on_schema_change` to append_new_columns or sync_all_columns."
      ) -%}
    {%- endif -%}
    {%- do sync_column_schemas(on_schema_change, target_relation, changes) -%}
  {%- endif -%}
  {{ return(changes['source_columns']) }}
{%- endmacro %}
