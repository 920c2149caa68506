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

{# The tests below speak of the table as a whole: each gives one row if it is broken, with the figures. #}

{# Where two figures may differ by a share of the second. #}
{% macro differ(left, right, tolerance) -%}
  abs({{ left }} - {{ right }}) > {{ tolerance }} * abs({{ right }}) or {{ left }} is null or {{ right }} is null
{%- endmacro %}

{# At most this share of the column is null. #}
{% test null_rate(model, column_name, max) -%}
  select * from (
    select count(*) as n_rows, count(*) - count({{ column_name }}) as n_nulls from {{ model }}
  ) as counted
  where n_nulls > {{ max }} * n_rows
{%- endtest %}

{% test row_count_between(model, min=none, max=none) -%}
  select * from (select count(*) as n_rows from {{ model }}) as counted
  where {{ dbt.row_in_range('n_rows', min, max) }}
{%- endtest %}

{# As many rows as another relation has; with `key`, as many as a table of statistics says under that name. #}
{% test row_count_matches(model, to, key=none, key_column='table_name', count_column='row_count', tolerance=0) -%}
  select * from (
    select (select count(*) from {{ model }}) as n_rows,
      {% if key is none -%}
      (select count(*) from {{ to }}) as expected
      {%- else -%}
      (select max({{ count_column }}) from {{ to }} where {{ key_column }} = {{ dbt.string_literal(dbt.escape_single_quotes(key)) }}) as expected
      {%- endif %}
  ) as counted
  where {{ medal.differ('n_rows', 'expected', tolerance) }}
{%- endtest %}

{# As many rows as the model uses to have: within `deviations` median deviations of the median of its builds, once there
   are `min_builds` of them. #}
{% test row_count_anomaly(model, deviations=5, min_builds=14) -%}
  {%- set nodes = graph.nodes.values() | selectattr('relation_name', 'equalto', model | string) | list if execute else [] -%}
  {%- set id = (nodes | first).unique_id if nodes else '' -%}
  {%- set ledger = dbt.ledger_relation('publications', (nodes | first).database if nodes else none) -%}
  with published as (
    select rows from {{ ledger }} where model = {{ dbt.ledger_value(id) }} and state = 'published' and rows is not null
  ),
  usual as (
    select median(rows) as middle, mad(rows) as deviation, count(*) as builds from published
  )
  select n_rows, middle, deviation
  from usual, (select count(*) as n_rows from {{ model }}) as counted
  where builds >= {{ min_builds }} and abs(n_rows - middle) > {{ deviations }} * greatest(deviation, 0.01 * middle, 1)
{%- endtest %}

{# The newest row is not older than this, for instance `max_age: 24 hours`. #}
{% test freshness(model, column_name, max_age) -%}
  select * from (select max({{ column_name }}) as newest from {{ model }}) as counted
  where newest is null or newest::timestamptz < now() - {{ dbt.string_literal(dbt.escape_single_quotes(max_age)) }}::interval
{%- endtest %}

{# At least this share of the rows finds a partner in another relation; no partner at all is always a failure. #}
{% test join_coverage(model, column_name, to, field, min=1) -%}
  select * from (
    select count(*) as n_rows, count(*) filter (where {{ column_name }} in (select {{ field }} from {{ to }})) as n_found
    from {{ model }}
  ) as counted
  where n_found < {{ min }} * n_rows or (n_found = 0 and n_rows > 0)
{%- endtest %}

{# The sum of the column is the sum of a column of another relation. #}
{% test sum_matches(model, column_name, to, field, tolerance=0) -%}
  select * from (
    select (select sum({{ column_name }}) from {{ model }}) as total, (select sum({{ field }}) from {{ to }}) as expected
  ) as counted
  where {{ medal.differ('total', 'expected', tolerance) }}
{%- endtest %}

{# The values follow each other without a gap: in steps of `step`, in each group of `partition_by`. Gives the gaps. #}
{% test sequence_gaps(model, column_name, step=1, partition_by=none) -%}
  {%- set groups = partition_by if partition_by is string else (partition_by or []) | join(', ') -%}
  select * from (
    select {{ groups ~ ', ' if groups }}{{ column_name }} as value,
      lag({{ column_name }}) over ({{ 'partition by ' ~ groups if groups }} order by {{ column_name }}) as previous
    from (select distinct {{ groups ~ ', ' if groups }}{{ column_name }} from {{ model }} where {{ column_name }} is not null) as seen
  ) as pairs
  where value - previous > {{ step }}
{%- endtest %}
