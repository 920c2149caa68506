{# Tests that only medal has. Each gives the rows that break it; those that speak of single rows share their condition
   with `action: quarantine`, in `macros/row_tests.sql`. #}

{% test in_range(model, column_name, min=none, max=none, inclusive=true) -%}
  select * from {{ model }} where {{ dbt.row_in_range(column_name, min, max, inclusive) }}
{%- endtest %}

{# What the pattern is found nowhere in; `^` and `$` make it match the whole text. #}
{% test regex(model, column_name, pattern) -%}
  select * from {{ model }} where {{ dbt.row_regex(column_name, pattern) }}
{%- endtest %}

{% test length(model, column_name, min=none, max=none) -%}
  select * from {{ model }} where {{ dbt.row_length(column_name, min, max) }}
{%- endtest %}

{# A condition that holds for each row; below a column it begins behind the column's name. #}
{% test expression(model, expression, column_name=none) -%}
  select * from {{ model }} where {{ dbt.row_expression(expression, column_name) }}
{%- endtest %}
