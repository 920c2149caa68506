{# Dates in Jinja: texts to dates, and the days between two of them. #}

{% macro convert_datetime(date_str, date_fmt) -%}
  {%- set message = "`" ~ date_str ~ "` is not a date of the format " ~ date_fmt -%}
  {{ return(try_or_compiler_error(message, modules.datetime.datetime.strptime, date_str | trim, date_fmt)) }}
{%- endmacro %}

{% macro dates_in_range(start_date_str, end_date_str=none, in_fmt='%Y%m%d', out_fmt='%Y%m%d') -%}
  {%- set start_date = convert_datetime(start_date_str, in_fmt) -%}
  {%- set end_date = convert_datetime(start_date_str if end_date_str is none else end_date_str, in_fmt) -%}
  {%- set days = (end_date - start_date).days -%}
  {%- if days < 0 -%}
    {%- do exceptions.raise_compiler_error("the range of dates starts at " ~ start_date ~ " and ends before that, at " ~ end_date) -%}
  {%- endif -%}
  {%- set dates = [] -%}
  {%- for day in range(days + 1) -%}
    {%- set date = start_date + modules.datetime.timedelta(days=day) -%}
    {%- do dates.append(date.strftime(out_fmt) if out_fmt else date) -%}
  {%- endfor -%}
  {{ return(dates) }}
{%- endmacro %}

{# One date, or two with a comma between them. #}
{% macro partition_range(raw_partition_date, date_fmt='%Y%m%d') -%}
  {%- set ends = (raw_partition_date | string).split(',') -%}
  {%- if ends | length > 2 -%}
    {%- do exceptions.raise_compiler_error("a range of partitions is one date or two, not " ~ raw_partition_date) -%}
  {%- endif -%}
  {{ return(dates_in_range(ends[0], ends[1] if ends | length == 2 else none, in_fmt=date_fmt)) }}
{%- endmacro %}

{% macro py_current_timestring() -%}
  {{ return(modules.datetime.datetime.now().strftime('%Y%m%d%H%M%S%f')) }}
{%- endmacro %}
