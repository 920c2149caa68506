{# What hangs on a table in DuckDB: grants (there are none), indexes, and what only DuckLake has. #}

{% macro duckdb__apply_grants(relation, grant_config, should_revoke=true) -%}
  {%- if grant_config -%}{%- do adapter.warn_once("DuckDB has no grants: those of the project do nothing") -%}{%- endif -%}
{%- endmacro %}

{% macro duckdb__get_create_index_sql(relation, index_dict) -%}
  {%- set columns = index_dict['columns'] -%}
  {%- set unique = 'unique ' if index_dict.get('unique') else '' -%}
  create {{ unique }}index {{ adapter.quote(local_md5(relation ~ unique ~ columns | join('_'))) }}
  on {{ relation }} ({{ columns | join(', ') }})
{%- endmacro %}

{# Only the tables of a lake are laid out in parts. #}
{% macro duckdb__create_table_as(temporary, relation, sql) -%}
  {%- for keys in [['partitioned_by', 'partition_by'], ['sorted_by', 'sort_by']] if not temporary -%}
    {%- if config.get(keys[0]) or config.get(keys[1]) -%}
      {%- do adapter.warn_once('`' ~ keys | join('` and `') ~ '` are for DuckLake: they do nothing for ' ~ relation) -%}
    {%- endif -%}
  {%- endfor -%}
  {{ return(default__create_table_as(temporary, relation, sql)) }}
{%- endmacro %}
