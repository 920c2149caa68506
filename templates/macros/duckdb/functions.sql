{# The functions that DuckDB writes in another way. #}

{# An interval is multiplied, so that it may be any expression. DuckDB has no quarters, and its weeks are 7 days. #}
{% macro duckdb__dateadd(datepart, interval, from_date_or_timestamp) -%}
  {%- set number = 'cast(' ~ interval ~ ' as bigint)' -%}
  {%- set times, unit = {'quarter': (3, 'month'), 'week': (7, 'day')}.get(datepart | lower, (1, datepart | lower)) -%}
  ({{ from_date_or_timestamp }} + {{ number if times == 1 else '(' ~ number ~ ' * ' ~ times ~ ')' }} * interval 1 {{ unit }})
{%- endmacro %}

{# DuckDB has no quarters to add. #}
{% macro duckdb__last_day(date, datepart) -%}
  {%- if datepart == 'quarter' -%}
    cast({{ dbt.dateadd('day', '-1', dbt.dateadd('month', '3', dbt.date_trunc(datepart, date))) }} as date)
  {%- else -%}
    {{ dbt.default_last_day(date, datepart) }}
  {%- endif -%}
{%- endmacro %}

{# Weeks start on Sunday, which `date_diff` does not know. #}
{% macro duckdb__datediff(first_date, second_date, datepart) -%}
  {%- if datepart == 'week' -%}
    ({{ datediff(first_date, second_date, 'day') }} // 7 + case
      when date_part('dow', ({{ first_date }})::timestamp) <= date_part('dow', ({{ second_date }})::timestamp) then
        case when {{ first_date }} <= {{ second_date }} then 0 else -1 end
      else
        case when {{ first_date }} <= {{ second_date }} then 1 else 0 end
    end)
  {%- else -%}
    (date_diff('{{ datepart }}', {{ first_date }}::timestamp, {{ second_date }}::timestamp))
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

{# A hash of a value with the key that the connection has in two variables. #}
{% macro duckdb__keyed_hash(column) -%}
  case when getvariable('medal_mask_outer') is null then error('`mask_key` of the target is not set')
  else sha256(getvariable('medal_mask_outer') || unhex(sha256(getvariable('medal_mask_inner') || encode(cast({{ column }} as varchar))))) end
{%- endmacro %}
