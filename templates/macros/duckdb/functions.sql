{# The functions that DuckDB writes in another way. #}

{# An interval is multiplied, so that it may be any expression. #}
{% macro duckdb__dateadd(datepart, interval, from_date_or_timestamp) -%}
  {%- set part = datepart | lower -%}
  {%- set unit = {'quarter': '3 month', 'week': '7 day'}.get(part, '1 ' ~ part) -%}
  ({{ from_date_or_timestamp }} + cast({{ interval }} as bigint) * interval {{ unit }})
{%- endmacro %}

{# Weeks start on Sunday, which `date_diff` does not know. #}
{% macro duckdb__datediff(first_date, second_date, datepart) -%}
  {%- if datepart == 'week' -%}
    ({{ duckdb__datediff(first_date, second_date, 'day') }} // 7
    + (date_part('dow', ({{ first_date }})::timestamp) > date_part('dow', ({{ second_date }})::timestamp))::int
    - (({{ first_date }}) > ({{ second_date }}))::int)
  {%- else -%}
    date_diff('{{ datepart }}', ({{ first_date }})::timestamp, ({{ second_date }})::timestamp)
  {%- endif -%}
{%- endmacro %}

{% macro duckdb__date(year, month, day) -%}make_date({{ year }}, {{ month }}, {{ day }}){%- endmacro %}

{% macro duckdb__generate_series(upper_bound) -%}
  select generate_series as generated_number from generate_series(1, {{ upper_bound }})
{%- endmacro %}

{% macro duckdb__current_timestamp() -%}now(){%- endmacro %}

{% macro duckdb__snapshot_get_time() -%}{{ current_timestamp() }}::timestamp{%- endmacro %}

{% macro duckdb__snapshot_string_as_time(timestamp) -%}{{ return("'" ~ timestamp ~ "'::timestamp") }}{%- endmacro %}

{# The first value, null or not. #}
{% macro duckdb__any_value(expression) -%}arbitrary({{ expression }}){%- endmacro %}

{% macro duckdb__listagg(measure, delimiter_text, order_by_clause, limit_num) -%}
  {%- if limit_num -%}
    list_aggr(array_agg({{ measure }} {{ order_by_clause or '' }})[1:{{ limit_num }}], 'string_agg', {{ delimiter_text }})
  {%- else -%}
    string_agg({{ measure }}, {{ delimiter_text }} {{ order_by_clause or '' }})
  {%- endif -%}
{%- endmacro %}

{# Counts from the end, too; a part that is not there is null. #}
{% macro duckdb__split_part(string_text, delimiter_text, part_number) -%}
  string_split({{ string_text }}, {{ delimiter_text }})[{{ part_number }}]
{%- endmacro %}
