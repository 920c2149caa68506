{# Tests as one condition a row: true for the rows that break them. What is null breaks nothing but `not_null`. #}

{% macro row_not_null(column_name) -%}{{ column_name }} is null{%- endmacro %}

{% macro row_accepted_values(column_name, values, quote=true) -%}
  {{ column_name }} not in (
    {%- for value in values -%}
      {{ dbt.string_literal(dbt.escape_single_quotes(value | string | replace("''", "'"))) if quote else value }}{{ ', ' if not loop.last }}
    {%- endfor -%}
  )
{%- endmacro %}

{% macro row_relationships(column_name, to, field) -%}
  {{ column_name }} not in (select {{ field }} from {{ to }} where {{ field }} is not null)
{%- endmacro %}

{# All but the first row of each value. Without an order the rows themselves decide, so that it is always the same one. #}
{% macro row_unique(column_name, order_by=[]) -%}
  {{ column_name }} is not null and row_number() over (
    partition by {{ column_name }} order by {% for part in order_by %}{{ part }}, {% endfor %}medal_rows
  ) > 1
{%- endmacro %}

{% macro row_in_range(column_name, min=none, max=none, inclusive=true) -%}
  {%- set equal = '' if inclusive else '=' -%}
  {%- set parts = [] -%}
  {%- do parts.append(column_name ~ ' <' ~ equal ~ ' ' ~ min) if min is not none -%}
  {%- do parts.append(column_name ~ ' >' ~ equal ~ ' ' ~ max) if max is not none -%}
  {%- if not parts -%}{%- do exceptions.raise_compiler_error("`in_range` takes `min`, `max` or both") -%}{%- endif -%}
  ({{ parts | join(' or ') }})
{%- endmacro %}

{% macro row_regex(column_name, pattern) -%}
  not {{ adapter.dispatch('matches', 'dbt')(column_name, pattern) }}
{%- endmacro %}

{% macro default__matches(column_name, pattern) -%}
  regexp_matches({{ column_name }}, {{ dbt.string_literal(dbt.escape_single_quotes(pattern)) }})
{%- endmacro %}

{% macro row_length(column_name, min=none, max=none) -%}
  {{ row_in_range('length(' ~ column_name ~ ')', min, max) }}
{%- endmacro %}

{% macro row_expression(expression, column_name=none) -%}
  not ({{ column_name ~ ' ' if column_name is not none }}{{ expression }})
{%- endmacro %}
