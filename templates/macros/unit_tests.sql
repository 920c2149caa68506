{# Unit tests: rows of a property file as queries. #}

{% macro get_unit_test_sql(main_sql, expected_fixture_sql, expected_column_names) -%}
  {{ return(adapter.dispatch('get_unit_test_sql', 'dbt')(main_sql, expected_fixture_sql, expected_column_names)) }}
{%- endmacro %}

{% macro default__get_unit_test_sql(main_sql, expected_fixture_sql, expected_column_names) -%}
  {%- set columns = expected_column_names | join(', ') -%}
  {%- set side = adapter.quote('actual_or_expected') -%}
  with dbt_internal_unit_test_actual as (
    select {{ columns }}, 'actual' as {{ side }}
    from (
      {{ main_sql }}
    ) as actual
  ),
  dbt_internal_unit_test_expected as (
    select {{ columns }}, 'expected' as {{ side }}
    from (
      {{ expected_fixture_sql }}
    ) as expected
  )
  select * from dbt_internal_unit_test_actual
  union all
  select * from dbt_internal_unit_test_expected
{%- endmacro %}

{# The rows of an input, with null for each column that a row leaves out; types are those of the input's relation. #}
{% macro get_fixture_sql(rows, column_name_to_data_types) -%}
  {%- set types = {} -%}
  {%- set quoted = {} -%}
  {%- do types.update(column_name_to_data_types or {}) -%}
  {%- for name in types -%}{%- do quoted.update({name: adapter.quote(name)}) -%}{%- endfor -%}
  {%- if not types -%}
    {%- set input = defer_relation if defer_relation and not load_cached_relation(this) else this -%}
    {%- for column in adapter.get_columns_in_relation(input) -%}
      {%- do types.update({column.name | lower: column.data_type}) -%}
      {%- do quoted.update({column.name | lower: column.quoted}) -%}
    {%- endfor -%}
  {%- endif -%}
  {%- if not types -%}
    {%- do exceptions.raise_compiler_error(
      this ~ " does not exist, so its columns are not known: build it before the unit test of `" ~ model.name ~ "`"
    ) -%}
  {%- endif -%}
  {%- set nothing = {} -%}
  {%- for name, type in types.items() -%}{%- do nothing.update({name: dbt.safe_cast('null', type) | trim}) -%}{%- endfor -%}
  {%- do validate_fixture_rows(rows, none) -%}
  {{ '-- Fixture for ' ~ model.name ~ '\n' }}
  {%- for row in rows -%}
    {%- set filled = nothing.copy() -%}
    {%- do filled.update(format_row(row, types)) -%}
    {{ row_query(filled, quoted) }}{{ '\nunion all\n' if not loop.last }}
  {%- else -%}
    {{ row_query(nothing, quoted) }} limit 0
  {%- endfor -%}
{%- endmacro %}

{# The expected rows: each has the columns that any of them names, in one order. #}
{% macro get_expected_sql(rows, column_name_to_data_types, column_name_to_quoted) -%}
  {%- set nothing = {} -%}
  {%- for row in rows or [] -%}
    {%- for name, value in format_row(row, column_name_to_data_types).items() -%}
      {%- do nothing.update({name: dbt.safe_cast('null', column_name_to_data_types[name]) | trim}) -%}
    {%- endfor -%}
  {%- endfor -%}
  {%- for row in rows or [] -%}
    {%- set filled = nothing.copy() -%}
    {%- do filled.update(format_row(row, column_name_to_data_types)) -%}
    {{ row_query(filled, column_name_to_quoted) }}{{ '\nunion all\n' if not loop.last }}
  {%- else -%}
    select * from dbt_internal_unit_test_actual limit 0
  {%- endfor -%}
{%- endmacro %}

{% macro row_query(row, quoted) -%}
  select {% for name, value in row.items() %}{{ value }} as {{ quoted[name] }}{{ ', ' if not loop.last }}{% endfor %}
{%- endmacro %}

{# A row's values as SQL of the columns' types, by lower-case name. #}
{% macro format_row(row, column_name_to_data_types) -%}
  {%- set formatted = {} -%}
  {%- for name, value in row.items() -%}
    {%- if name | lower not in column_name_to_data_types -%}
      {%- do exceptions.raise_compiler_error(
        "a row of the unit test has a column `" ~ name ~ "`, and the columns are " ~ column_name_to_data_types | join(', ')
      ) -%}
    {%- endif -%}
    {%- set type = column_name_to_data_types[name | lower] -%}
    {#- A text of any length fits, as it would not into `character varying(256)`. -#}
    {%- if value is string and 'varying' in type -%}{%- set type = type.split('(')[0] -%}{%- endif -%}
    {%- set literal = dbt.string_literal(dbt.escape_single_quotes(value)) if value is string else ('null' if value is none else value) -%}
    {%- do formatted.update({name | lower: dbt.safe_cast(literal, type) | trim}) -%}
  {%- endfor -%}
  {{ return(formatted) }}
{%- endmacro %}

{% macro validate_fixture_rows(rows, row_number) -%}
  {{ return(adapter.dispatch('validate_fixture_rows', 'dbt')(rows, row_number)) }}
{%- endmacro %}

{% macro default__validate_fixture_rows(rows, row_number) -%}{%- endmacro %}
