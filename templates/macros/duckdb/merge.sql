{# The strategy `merge` of DuckDB. By default columns are matched by name; `merge_clauses` says all of it by hand:
   lists `when_matched` and `when_not_matched` of {action, mode, condition, …}. #}

{% macro duckdb__get_incremental_merge_sql(arg_dict) -%}
  {{ return(get_merge_sql(
    arg_dict['target_relation'], arg_dict['temp_relation'], arg_dict['unique_key'],
    arg_dict['dest_columns'], arg_dict.get('incremental_predicates')
  )) }}
{%- endmacro %}

{% macro duckdb__get_merge_sql(target, source, unique_key, dest_columns, incremental_predicates=none) -%}
  {%- do validate_merge_config(config, target) -%}
  {%- set clauses = duckdb__merge_clauses() -%}
  {{ config.get('sql_header') or '' }}
  merge into {{ target }} as DBT_INTERNAL_DEST
  using {{ source }} as DBT_INTERNAL_SOURCE
  on {{ get_merge_condition(config.get('merge_on_using_columns') or unique_key, incremental_predicates) }}
  {%- for clause in clauses['when_matched'] %}
  when matched{{ duckdb__merge_condition(clause) }} then {{ duckdb__merge_action(clause, dest_columns) }}
  {%- endfor %}
  {%- for clause in clauses['when_not_matched'] %}
  when not matched{{ ' by ' ~ clause['by'] if clause.get('by') }}{{ duckdb__merge_condition(clause) }}
  then {{ duckdb__merge_action(clause, dest_columns) }}
  {%- endfor %}
  {%- if config.get('merge_returning_columns') %}
  returning {{ normalize_string_or_list(config.get('merge_returning_columns'), 'merge_returning_columns') | join(', ') }}
  {%- endif -%}
{%- endmacro %}

{# What `merge_clauses` says, and for what it does not say the simple settings. #}
{% macro duckdb__merge_clauses() -%}
  {%- set update = {
    'include': config.get('merge_update_columns') or [],
    'exclude': config.get('merge_exclude_columns') or [],
    'set_expressions': config.get('merge_update_set_expressions') or {},
  } -%}
  {%- set explicit = update['include'] or update['exclude'] or update['set_expressions'] -%}
  {%- set clauses = {
    'when_matched': [{
      'action': 'update', 'mode': 'explicit' if explicit else 'by_name', 'update': update,
      'condition': config.get('merge_update_condition'),
    }],
    'when_not_matched': [{
      'action': 'insert', 'mode': 'by_name', 'condition': config.get('merge_insert_condition'),
    }],
  } -%}
  {%- do clauses.update(config.get('merge_clauses') or {}) -%}
  {{ return(clauses) }}
{%- endmacro %}

{% macro duckdb__merge_condition(clause) -%}
  {%- if clause.get('condition') %} and ({{ normalize_string_or_list(clause['condition'], 'condition') | join(') and (') }}){% endif -%}
{%- endmacro %}

{% macro duckdb__merge_action(clause, dest_columns) -%}
  {%- set action = clause.get('action') -%}
  {%- set mode = clause.get('mode') -%}
  {%- if action in ['update', 'insert'] and mode in ['by_name', 'by_position'] -%}
    {{ action }} {{ mode | replace('_', ' ') }}
  {%- elif mode == 'star' -%}
    {{ 'update set *' if action == 'update' else 'insert *' }}
  {%- elif action == 'update' -%}
    update set {{ duckdb__merge_assignments(clause, dest_columns) }}
  {%- elif action == 'insert' -%}
    insert ({{ clause['insert']['columns'] | join(', ') }}) values ({{ clause['insert']['values'] | join(', ') }})
  {%- elif action in ['delete', 'do_nothing'] -%}
    {{ action | replace('_', ' ') }}
  {%- elif action == 'error' -%}
    error{{ ' ' ~ dbt.string_literal(dbt.escape_single_quotes(clause['error_message'])) if clause.get('error_message') }}
  {%- else -%}
    {%- do exceptions.raise_compiler_error("a merge clause has an action: update, insert, delete, do_nothing or error, not " ~ action) -%}
  {%- endif -%}
{%- endmacro %}

{# Expressions first, then the other columns as the source has them. Rows that only the target has take expressions. #}
{% macro duckdb__merge_assignments(clause, dest_columns) -%}
  {%- set update = clause.get('update') or {} -%}
  {%- set expressions = clause.get('set_expressions') or update.get('set_expressions') or {} -%}
  {%- set assignments = [] -%}
  {%- for column, expression in expressions.items() -%}{%- do assignments.append(column ~ ' = ' ~ expression) -%}{%- endfor -%}
  {%- if clause.get('mode') == 'explicit' -%}
    {%- for column in get_merge_update_columns(update.get('include'), update.get('exclude'), dest_columns)
        if column | replace('"', '') not in expressions -%}
      {%- do assignments.append(column ~ ' = DBT_INTERNAL_SOURCE.' ~ column) -%}
    {%- endfor -%}
  {%- endif -%}
  {{ assignments | join(', ') }}
{%- endmacro %}

{% macro validate_merge_config(config, target_relation=none) -%}
  {%- set clauses = config.get('merge_clauses') -%}
  {%- set problems = [] -%}
  {%- for name in ['merge_update_condition', 'merge_insert_condition'] -%}
    {%- if config.get(name) is not none and config.get(name) is not string -%}{%- do problems.append(name ~ ' is a string') -%}{%- endif -%}
  {%- endfor -%}
  {%- for name in ['merge_on_using_columns', 'merge_update_columns', 'merge_exclude_columns', 'merge_returning_columns'] -%}
    {%- set value = config.get(name) -%}
    {%- if value is not none and (value is string or value is mapping or value is not sequence or value | reject('string') | list) -%}
      {%- do problems.append(name ~ ' is a list of strings') -%}
    {%- endif -%}
  {%- endfor -%}
  {%- if config.get('merge_update_set_expressions') is not none and config.get('merge_update_set_expressions') is not mapping -%}
    {%- do problems.append('merge_update_set_expressions is a mapping') -%}
  {%- endif -%}
  {%- if clauses is not none -%}
    {%- do validate_merge_clauses(config, clauses, problems) -%}
  {%- endif -%}
  {%- if problems -%}
    {%- do exceptions.raise_compiler_error("the merge settings of " ~ (target_relation or this) ~ " do not fit: " ~ problems | join('; ')) -%}
  {%- endif -%}
{%- endmacro %}

{% macro validate_merge_clauses(config, clauses, problems) -%}
  {%- if clauses is not mapping or not ('when_matched' in clauses or 'when_not_matched' in clauses) -%}
    {%- do problems.append('merge_clauses is a mapping with when_matched, when_not_matched or both') -%}
    {{ return(problems) }}
  {%- endif -%}
  {%- for kind in ['when_matched', 'when_not_matched'] if kind in clauses -%}
    {%- set entries = clauses[kind] -%}
    {%- set listed = entries is sequence and entries is not string and entries is not mapping -%}
    {%- if not listed or not entries or entries | reject('mapping') | list -%}
      {%- do problems.append(kind ~ ' is a list of mappings') -%}
    {%- endif -%}
  {%- endfor -%}
  {%- set simple = [
    'merge_update_condition', 'merge_insert_condition', 'merge_update_columns', 'merge_exclude_columns',
    'merge_update_set_expressions',
  ] -%}
  {%- for name in simple if config.get(name) -%}
    {%- do problems.append(name ~ ' does nothing beside merge_clauses') -%}
  {%- endfor -%}
{%- endmacro %}
