{# Several tests of one relation in one scan. Each column is zero if its test passes; else the test is run by itself. #}

{# `is_new`: the relation was built in the open transaction. #}
{% macro get_test_batch_sql(relation, checks, is_new) -%}
  select
  {%- for check in checks %}
    {{ get_test_batch_column(check.name, check.arguments.column_name, check.arguments) }} as check_{{ loop.index }}
    {{- ',' if not loop.last }}
  {%- endfor %}
  from {{ adapter.dispatch('in_parts', 'dbt')(relation) if is_new else relation }}
{%- endmacro %}

{# A relation that was built in the open transaction, as all threads of the engine can read it. #}
{% macro default__in_parts(relation) -%}{{ return(relation) }}{%- endmacro %}

{% macro get_test_batch_column(name, column_name, arguments) -%}
  {%- if name == 'not_null' -%}
    count(*) filter (where {{ column_name }} is null)
  {%- elif name == 'unique' -%}
    count({{ column_name }}) - count(distinct {{ column_name }})
  {%- elif name == 'accepted_values' -%}
    count(*) filter (where {{ column_name }} not in (
      {%- for value in arguments['values'] -%}
        {{ dbt.string_literal(dbt.escape_single_quotes(value | string | replace("''", "'"))) if arguments.get('quote', true) else value }}
        {{- ', ' if not loop.last -}}
      {%- endfor -%}
    ))
  {%- endif -%}
{%- endmacro %}
