{# Snapshot strategies: how a change is seen. A project adds a strategy `x` as a macro `snapshot_x_strategy` that
   gives the same mapping; `x` may be `package.x`. #}

{% macro strategy_dispatch(name) -%}
  {%- set parts = name.split('.') -%}
  {%- set scope = context if parts | length == 1 else context[parts[0]] -%}
  {%- set macro_name = 'snapshot_' ~ parts[-1] ~ '_strategy' -%}
  {%- if not scope or macro_name not in scope -%}
    {%- do exceptions.raise_compiler_error("there is no snapshot strategy `" ~ name ~ "`: no macro `" ~ macro_name ~ "`") -%}
  {%- endif -%}
  {{ return(scope[macro_name]) }}
{%- endmacro %}

{# A row has changed if its time of update is later than the start of the open row. #}
{% macro snapshot_timestamp_strategy(node, snapshotted_rel, current_rel, model_config, target_exists) -%}
  {%- set updated_at = config.get('updated_at') -%}
  {%- set changed = '(' ~ snapshotted_rel ~ '.' ~ snapshot_column_names().dbt_valid_from ~ ' < ' ~ current_rel ~ '.' ~ updated_at ~ ')' -%}
  {{ return(snapshot_strategy(updated_at, changed)) }}
{%- endmacro %}

{# A row has changed if one of the checked columns has, or if there are more of them than before. #}
{% macro snapshot_check_strategy(node, snapshotted_rel, current_rel, model_config, target_exists) -%}
  {%- set column_added, columns = snapshot_check_all_get_existing_columns(node, target_exists, config.get('check_cols')) -%}
  {%- set changes = [] -%}
  {%- for column in columns -%}
    {%- do changes.append(snapshotted_rel ~ '.' ~ column ~ ' is distinct from ' ~ current_rel ~ '.' ~ column) -%}
  {%- endfor -%}
  {%- set changed = get_true_sql() if column_added else '(' ~ changes | join(' or ') ~ ')' -%}
  {{ return(snapshot_strategy(config.get('updated_at') or snapshot_get_time(), changed)) }}
{%- endmacro %}

{% macro snapshot_strategy(updated_at, row_changed) -%}
  {%- set unique_key = config.get('unique_key') -%}
  {%- set hard_deletes = snapshot_hard_deletes() -%}
  {{ return({
    'unique_key': unique_key,
    'updated_at': updated_at,
    'row_changed': row_changed,
    'scd_id': snapshot_hash_arguments(normalize_string_or_list(unique_key, 'unique_key') + [updated_at]),
    'invalidate_hard_deletes': hard_deletes == 'invalidate',
    'hard_deletes': hard_deletes,
  }) }}
{%- endmacro %}

{# What happens to a row that the query no longer gives: ignore, invalidate or new_record. #}
{% macro snapshot_hard_deletes() -%}
  {%- set hard_deletes = config.get('hard_deletes') -%}
  {%- set invalidate = config.get('invalidate_hard_deletes') -%}
  {%- if hard_deletes is not none and invalidate is not none -%}
    {%- do exceptions.raise_compiler_error("a snapshot has `hard_deletes` or the older `invalidate_hard_deletes`, not both") -%}
  {%- elif hard_deletes not in [none, 'ignore', 'invalidate', 'new_record'] -%}
    {%- do exceptions.raise_compiler_error("`hard_deletes` is ignore, invalidate or new_record, not " ~ hard_deletes) -%}
  {%- endif -%}
  {{ return(hard_deletes or ('invalidate' if invalidate else 'ignore')) }}
{%- endmacro %}

{# Whether the query gives checked columns that the table does not have, and the quoted names of those it has. #}
{% macro snapshot_check_all_get_existing_columns(node, target_exists, check_cols_config) -%}
  {%- if not target_exists -%}{{ return([false, []]) }}{%- endif -%}
  {%- if check_cols_config == 'all' -%}
    {%- set checked = get_columns_in_query(sql) -%}
  {%- elif check_cols_config and check_cols_config is not string -%}
    {%- set checked = get_columns_in_query('select ' ~ check_cols_config | join(', ') ~ ' from (\n' ~ sql ~ '\n) as checked') -%}
  {%- else -%}
    {%- do exceptions.raise_compiler_error("`check_cols` is a list of columns or all, not " ~ check_cols_config) -%}
  {%- endif -%}
  {%- set existing = adapter.get_columns_in_relation(this) | map(attribute='name') | list -%}
  {%- set columns = [] -%}
  {%- for name in checked if name in existing -%}{%- do columns.append(adapter.quote(name)) -%}{%- endfor -%}
  {{ return([columns | length < checked | length, columns]) }}
{%- endmacro %}

{% macro snapshot_hash_arguments(args) -%}
  {{ return(adapter.dispatch('snapshot_hash_arguments', 'dbt')(args)) }}
{%- endmacro %}

{% macro default__snapshot_hash_arguments(args) -%}
  md5({% for arg in args %}coalesce(cast({{ arg }} as varchar), ''){{ " || '|' || " if not loop.last }}{% endfor %})
{%- endmacro %}

{% macro snapshot_string_as_time(timestamp) -%}
  {{ return(adapter.dispatch('snapshot_string_as_time', 'dbt')(timestamp)) }}
{%- endmacro %}

{% macro get_true_sql() -%}
  {{ return(adapter.dispatch('get_true_sql', 'dbt')()) }}
{%- endmacro %}

{% macro default__get_true_sql() -%}{{ return('true') }}{%- endmacro %}
