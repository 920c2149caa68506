{# What hangs on a table in DuckDB: grants (there are none) and indexes. #}

{% macro duckdb__apply_grants(relation, grant_config, should_revoke=true) -%}
  {%- if grant_config -%}{%- do adapter.warn_once("DuckDB has no grants: those of the project do nothing") -%}{%- endif -%}
{%- endmacro %}

{% macro duckdb__get_create_index_sql(relation, index_dict) -%}
  {%- set columns = index_dict['columns'] -%}
  {%- set unique = 'unique ' if index_dict.get('unique') else '' -%}
  create {{ unique }}index {{ adapter.quote(local_md5(relation ~ unique ~ columns | join('_'))) }}
  on {{ relation }} ({{ columns | join(', ') }})
{%- endmacro %}
