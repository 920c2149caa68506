{# SQL of snapshots: the first table, the changes since then, and how they are brought in. #}

{% macro get_snapshot_table_column_names() -%}
  {{ return({
    'dbt_valid_to': 'dbt_valid_to', 'dbt_valid_from': 'dbt_valid_from', 'dbt_scd_id': 'dbt_scd_id',
    'dbt_updated_at': 'dbt_updated_at', 'dbt_is_deleted': 'dbt_is_deleted',
  }) }}
{%- endmacro %}

{# The same with the names that the snapshot's config gives. #}
{% macro snapshot_column_names() -%}
  {%- set names = get_snapshot_table_column_names() -%}
  {%- set configured = config.get('snapshot_table_column_names') or config.get('snapshot_meta_column_names') or {} -%}
  {%- for key in names | list if configured[key] -%}{%- do names.update({key: configured[key]}) -%}{%- endfor -%}
  {{ return(names) }}
{%- endmacro %}

{% macro build_snapshot_table(strategy, sql) -%}
  {{ return(adapter.dispatch('build_snapshot_table', 'dbt')(strategy, sql)) }}
{%- endmacro %}

{% macro default__build_snapshot_table(strategy, sql) -%}
  {%- set columns = snapshot_column_names() -%}
  select *,
    {{ strategy.scd_id }} as {{ columns.dbt_scd_id }},
    {{ strategy.updated_at }} as {{ columns.dbt_updated_at }},
    {{ strategy.updated_at }} as {{ columns.dbt_valid_from }},
    {{ get_dbt_valid_to_current(strategy, columns) }}
    {%- if strategy.hard_deletes == 'new_record' %}, 'False' as {{ columns.dbt_is_deleted }}{% endif %}
  from (
    {{ sql }}
  ) as sbq
{%- endmacro %}

{# The end of an open row: null, or what `dbt_valid_to_current` says, in the type of the time of update. #}
{% macro get_dbt_valid_to_current(strategy, columns) -%}
  {%- set current = config.get('dbt_valid_to_current') or 'null' -%}
  coalesce(nullif({{ strategy.updated_at }}, {{ strategy.updated_at }}), {{ current }}) as {{ columns.dbt_valid_to }}
{%- endmacro %}

{% macro snapshot_row_is_open(valid_to) -%}
  {%- set current = config.get('dbt_valid_to_current') -%}
  ({{ valid_to }} is null{{ ' or ' ~ valid_to ~ ' = ' ~ current if current }})
{%- endmacro %}

{% macro snapshot_staging_table(strategy, source_sql, target_relation) -%}
  {{ return(adapter.dispatch('snapshot_staging_table', 'dbt')(strategy, source_sql, target_relation)) }}
{%- endmacro %}

{# Rows to insert, and ids of open rows with the time at which they end (`update`, `delete`). #}
{% macro default__snapshot_staging_table(strategy, source_sql, target_relation) -%}
  {%- set columns = snapshot_column_names() -%}
  {%- set keep_deleted = strategy.hard_deletes == 'new_record' -%}
  {%- set joined = unique_key_join_on(strategy.unique_key, 'snapshotted_data', 'source_data') -%}
  {%- set changed = '(' ~ strategy.row_changed ~ (' or snapshotted_data.' ~ columns.dbt_is_deleted ~ " = 'True'" if keep_deleted else '') ~ ')' -%}
  with source_data as (
    select *, {{ unique_key_fields(strategy.unique_key) }},
      {{ strategy.updated_at }} as {{ columns.dbt_updated_at }},
      {{ strategy.updated_at }} as {{ columns.dbt_valid_from }},
      {{ get_dbt_valid_to_current(strategy, columns) }},
      {{ strategy.scd_id }} as {{ columns.dbt_scd_id }}
    from (
      {{ source_sql }}
    ) as snapshot_query
  ),
  snapshotted_data as (
    select *, {{ unique_key_fields(strategy.unique_key) }}
    from {{ target_relation }}
    where {{ snapshot_row_is_open(columns.dbt_valid_to) }}
  )
  select 'insert' as dbt_change_type, source_data.*{% if keep_deleted %}, 'False' as {{ columns.dbt_is_deleted }}{% endif %}
  from source_data
  left join snapshotted_data on {{ joined }}
  where {{ unique_key_is_null(strategy.unique_key, 'snapshotted_data') }} or {{ changed }}
  union all by name
  select
    'update' as dbt_change_type,
    snapshotted_data.{{ columns.dbt_scd_id }},
    source_data.{{ columns.dbt_updated_at }} as {{ columns.dbt_valid_to }}
  from source_data
  join snapshotted_data on {{ joined }}
  where {{ changed }}
  {%- if strategy.hard_deletes != 'ignore' %}
  {{ snapshot_deletes(strategy, source_sql, target_relation) }}
  {%- endif -%}
{%- endmacro %}

{# The open rows that the query no longer gives; with `new_record` each is followed by one that says so. #}
{% macro snapshot_deletes(strategy, source_sql, target_relation) -%}
  {%- set columns = snapshot_column_names() -%}
  {%- set keep_deleted = strategy.hard_deletes == 'new_record' -%}
  {%- set deleted -%}
    from snapshotted_data
    left join source_data on {{ unique_key_join_on(strategy.unique_key, 'snapshotted_data', 'source_data') }}
    where {{ unique_key_is_null(strategy.unique_key, 'source_data') }}
    {%- if keep_deleted %} and snapshotted_data.{{ columns.dbt_is_deleted }} != 'True'{% endif -%}
  {%- endset -%}
  union all by name
  select 'delete' as dbt_change_type, snapshotted_data.{{ columns.dbt_scd_id }}, {{ snapshot_get_time() }} as {{ columns.dbt_valid_to }}
  {{ deleted }}
  {%- if keep_deleted %}
  union all by name
  select 'insert' as dbt_change_type,
    {% for column in get_columns_in_query(source_sql) if column in get_list_of_column_names(adapter.get_columns_in_relation(target_relation)) -%}
      snapshotted_data.{{ adapter.quote(column) }},
    {% endfor -%}
    {{ snapshot_get_time() }} as {{ columns.dbt_valid_from }},
    {{ snapshot_get_time() }} as {{ columns.dbt_updated_at }},
    snapshotted_data.{{ columns.dbt_valid_to }},
    {{ snapshot_hash_arguments(['snapshotted_data.' ~ columns.dbt_scd_id, snapshot_get_time()]) }} as {{ columns.dbt_scd_id }},
    'True' as {{ columns.dbt_is_deleted }}
  {{ deleted }}
  {%- endif -%}
{%- endmacro %}

{% macro build_snapshot_staging_table(strategy, sql, target_relation) -%}
  {%- set staging_table = make_temp_relation(target_relation) -%}
  {%- call statement('build_snapshot_staging_relation') -%}
    {{ create_table_as(true, staging_table, snapshot_staging_table(strategy, sql, target_relation)) }}
  {%- endcall -%}
  {{ return(staging_table) }}
{%- endmacro %}

{# What became of the rows of the query, if the ledger is to know: the first time, and if they are new or have changed, they
   are added; the others are there. #}
{% macro count_snapshot(strategy, sql, staging_table) -%}
  {%- if not (ledger_entry is defined and ledger_entry) -%}{{ return({}) }}{%- endif -%}
  {%- set given = run_query('select count(*) from (' ~ sql ~ ') as given')[0][0] -%}
  {%- set added = given -%}
  {%- if staging_table is not none -%}
    {%- set deleted = ' and ' ~ snapshot_column_names().dbt_is_deleted ~ " = 'False'" if strategy.hard_deletes == 'new_record' else '' -%}
    {%- set added = run_query('select count(*) from ' ~ staging_table ~ " where dbt_change_type = 'insert'" ~ deleted)[0][0] -%}
  {%- endif -%}
  {{ return({
    'mode': 'full' if staging_table is none else 'incremental', 'rows_in': given, 'rows_out': added, 'rows_filtered': 0,
    'rows_merged': given - added,
  }) }}
{%- endmacro %}

{% macro post_snapshot(staging_relation) -%}
  {{ return(adapter.dispatch('post_snapshot', 'dbt')(staging_relation)) }}
{%- endmacro %}

{% macro default__post_snapshot(staging_relation) -%}{%- do drop_relation(staging_relation) -%}{%- endmacro %}

{% macro snapshot_merge_sql(target, source, insert_cols) -%}
  {{ return(adapter.dispatch('snapshot_merge_sql', 'dbt')(target, source, insert_cols)) }}
{%- endmacro %}

{# Two statements, as a row that comes back unchanged has the id of a closed row and is inserted all the same. #}
{% macro default__snapshot_merge_sql(target, source, insert_cols) -%}
  {%- set columns = snapshot_column_names() -%}
  update {{ target }} as DBT_INTERNAL_TARGET
  set {{ columns.dbt_valid_to }} = DBT_INTERNAL_SOURCE.{{ columns.dbt_valid_to }}
  from {{ source }} as DBT_INTERNAL_SOURCE
  where DBT_INTERNAL_SOURCE.{{ columns.dbt_scd_id }} = DBT_INTERNAL_TARGET.{{ columns.dbt_scd_id }}
    and DBT_INTERNAL_SOURCE.dbt_change_type in ('update', 'delete')
    and {{ snapshot_row_is_open('DBT_INTERNAL_TARGET.' ~ columns.dbt_valid_to) }};
  insert into {{ target }} ({{ insert_cols | join(', ') }})
  select {{ insert_cols | join(', ') }} from {{ source }}
  where dbt_change_type = 'insert'
{%- endmacro %}

{% macro create_columns(relation, columns) -%}
  {{ return(adapter.dispatch('create_columns', 'dbt')(relation, columns)) }}
{%- endmacro %}

{% macro default__create_columns(relation, columns) -%}
  {%- do alter_relation_add_remove_columns(relation, columns) -%}
{%- endmacro %}

{# A table that is not a snapshot is left alone. #}
{% macro assert_snapshot_columns(relation, strategy) -%}
  {%- set columns = snapshot_column_names() -%}
  {%- set needed = [columns.dbt_scd_id, columns.dbt_valid_from, columns.dbt_valid_to] -%}
  {%- if strategy.hard_deletes == 'new_record' -%}{%- do needed.append(columns.dbt_is_deleted) -%}{%- endif -%}
  {%- set existing = get_list_of_column_names(adapter.get_columns_in_relation(relation)) | map('lower') | list -%}
  {%- set missing = needed | map('lower') | reject('in', existing) | list -%}
  {%- if missing -%}
    {%- do exceptions.raise_compiler_error(relation ~ " is not a table that this snapshot made, it has no column " ~ missing | join(', ')) -%}
  {%- endif -%}
{%- endmacro %}

{# Key columns of the staged rows: `dbt_unique_key`, or one with a number for each key of a list. #}
{% macro snapshot_key_names(unique_key) -%}
  {%- if unique_key is string -%}{{ return(['dbt_unique_key']) }}{%- endif -%}
  {%- set names = [] -%}
  {%- for key in unique_key -%}{%- do names.append('dbt_unique_key_' ~ loop.index) -%}{%- endfor -%}
  {{ return(names) }}
{%- endmacro %}

{% macro unique_key_fields(unique_key) -%}
  {%- set names = snapshot_key_names(unique_key) -%}
  {%- for key in normalize_string_or_list(unique_key, 'unique_key') -%}
    {{ key }} as {{ names[loop.index0] }}{{ ', ' if not loop.last }}
  {%- endfor -%}
{%- endmacro %}

{% macro unique_key_join_on(unique_key, identifier, from_identifier) -%}
  {%- for name in snapshot_key_names(unique_key) -%}
    {{ identifier }}.{{ name }} = {{ from_identifier }}.{{ name }}{{ ' and ' if not loop.last }}
  {%- endfor -%}
{%- endmacro %}

{% macro unique_key_is_null(unique_key, identifier) -%}
  {{ identifier }}.{{ snapshot_key_names(unique_key)[0] }} is null
{%- endmacro %}

{% macro unique_key_is_not_null(unique_key, identifier) -%}
  {{ identifier }}.{{ snapshot_key_names(unique_key)[0] }} is not null
{%- endmacro %}
