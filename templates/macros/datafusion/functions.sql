{# The functions of DuckDB, whose SQL a lakehouse understands. #}

{% macro datafusion__dateadd(datepart, interval, from_date_or_timestamp) -%}
  {{ return(duckdb__dateadd(datepart, interval, from_date_or_timestamp)) }}
{%- endmacro %}

{% macro datafusion__last_day(date, datepart) -%}{{ return(duckdb__last_day(date, datepart)) }}{%- endmacro %}

{% macro datafusion__datediff(first_date, second_date, datepart) -%}
  {{ return(duckdb__datediff(first_date, second_date, datepart)) }}
{%- endmacro %}

{% macro datafusion__date(year, month, day) -%}{{ return(duckdb__date(year, month, day)) }}{%- endmacro %}

{% macro datafusion__generate_series(upper_bound) -%}{{ return(duckdb__generate_series(upper_bound)) }}{%- endmacro %}

{% macro datafusion__current_timestamp() -%}{{ return(duckdb__current_timestamp()) }}{%- endmacro %}

{% macro datafusion__snapshot_get_time() -%}{{ return(duckdb__snapshot_get_time()) }}{%- endmacro %}

{% macro datafusion__snapshot_string_as_time(timestamp) -%}
  {{ return(duckdb__snapshot_string_as_time(timestamp)) }}
{%- endmacro %}

{% macro datafusion__any_value(expression) -%}{{ return(duckdb__any_value(expression)) }}{%- endmacro %}

{# DataFusion puts no list together, so the limit is in the list before. #}
{% macro datafusion__listagg(measure, delimiter_text, order_by_clause, limit_num) -%}
  {%- if limit_num -%}
    array_to_string(list_slice(array_agg({{ measure }} {{ order_by_clause or '' }}), 1, {{ limit_num }}), {{ delimiter_text }})
  {%- else -%}
    {{ return(duckdb__listagg(measure, delimiter_text, order_by_clause, limit_num)) }}
  {%- endif -%}
{%- endmacro %}

{% macro datafusion__split_part(string_text, delimiter_text, part_number) -%}
  {{ return(duckdb__split_part(string_text, delimiter_text, part_number)) }}
{%- endmacro %}

{# The key is known to the function alone. #}
{% macro datafusion__keyed_hash(column) -%}medal_keyed_hash(cast({{ column }} as varchar)){%- endmacro %}
