{# statement, run_query: how a macro runs SQL. #}

{% macro statement(name=none, fetch_result=false, auto_begin=true, language='sql') -%}
  {%- if execute -%}
    {%- set code = caller() -%}
    {%- if language != 'sql' -%}
      {%- do exceptions.raise_compiler_error("`statement` runs SQL only, this one is in " ~ language) -%}
    {%- endif -%}
    {%- if name == 'main' -%}{%- do write(code) -%}{%- endif -%}
    {%- set response, table = adapter.execute(code, auto_begin=auto_begin, fetch=fetch_result) -%}
    {%- if name is not none -%}{%- do store_result(name, response=response, agate_table=table) -%}{%- endif -%}
  {%- endif -%}
{%- endmacro %}

{# Records the result of work that was done without a statement. #}
{% macro noop_statement(name=none, message=none, code=none, rows_affected=none, res=none) -%}
  {%- set text = caller() -%}
  {%- if name == 'main' -%}{%- do write(text) -%}{%- endif -%}
  {%- if name is not none -%}
    {%- do store_raw_result(name, message=message, code=code, rows_affected=rows_affected, agate_table=res) -%}
  {%- endif -%}
{%- endmacro %}

{% macro run_query(sql) %}
  {%- call statement('run_query_statement', fetch_result=true, auto_begin=false) -%}{{ sql }}{%- endcall -%}
  {{ return(load_result('run_query_statement').table) }}
{% endmacro %}
