{# Columns in DuckDB, as its own binder sees them. #}

{% macro duckdb__get_columns_in_relation(relation) -%}
  {%- call statement('get_columns_in_relation', fetch_result=true) -%}
    select column_name, column_type from (describe {{ relation }})
  {%- endcall -%}
  {{ return(sql_convert_columns_in_relation(load_result('get_columns_in_relation').table)) }}
{%- endmacro %}

{# The query is described, which takes one statement, so the header runs before. #}
{% macro duckdb__get_empty_subquery_sql(select_sql, select_sql_header=none) -%}
  {%- if select_sql_header -%}{%- do run_query(select_sql_header) -%}{%- endif -%}
  {{ default__get_empty_subquery_sql(select_sql) }}
{%- endmacro %}
