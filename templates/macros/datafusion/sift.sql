{# Taking rows out of a model in a lakehouse, which has no rows as values and no functions as arguments. #}

{% macro datafusion__sift_violation(violation, sql) -%}
  {%- if 'medal_rows' not in violation -%}{{ return(violation) }}{%- endif -%}
  {%- set columns = get_column_schema_from_query(sql) | map(attribute='quoted') | join(', ') -%}
  {{ return(violation | replace('medal_rows', columns)) }}
{%- endmacro %}

{% macro datafusion__row_hash(columns) -%}
  md5(cast({ {%- for column in columns %}{{ dbt.string_literal(dbt.escape_single_quotes(column.name)) }}: {{ column.quoted }}{{ ', ' if not loop.last }}{% endfor -%} } as varchar))
{%- endmacro %}

{% macro datafusion__listed_if(values) -%}
  {%- if values | length == 1 -%}
    case when {{ values[0].holds }} then [{{ values[0].value }}] end
  {%- else -%}
    array_concat({% for one in values %}case when {{ one.holds }} then [{{ one.value }}] end{{ ', ' if not loop.last }}{% endfor %})
  {%- endif -%}
{%- endmacro %}
