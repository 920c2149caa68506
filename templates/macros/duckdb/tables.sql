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

{# Only the tables of a lake are laid out in parts. What they are made of is said before they have rows. #}
{% macro duckdb__create_table_as(temporary, relation, sql) -%}
  {%- set layout = [] if temporary else lake_layout(relation) -%}
  {%- if not layout -%}{{ return(default__create_table_as(temporary, relation, sql)) }}{%- endif -%}
  {%- set contract = config.get('contract') -%}
  {%- set enforced = contract and contract.enforced -%}
  {%- if enforced -%}{%- do get_assert_columns_equivalent(sql) -%}{%- endif -%}
  {{ config.get('sql_header') or '' }}
  create or replace table {{ relation }} {% if enforced -%}
    {{ get_table_columns_and_constraints() }}
  {%- else -%}
    as (
      select * from (
        {{ sql }}
      ) limit 0
    )
  {%- endif %};
  {% for clause in layout %}alter table {{ relation }} set {{ clause }};
  {% endfor -%}
  insert into {{ relation }} {% if enforced -%}
    ({{ adapter.dispatch('get_column_names', 'dbt')() }}) {{ get_select_subquery(sql) }}
  {%- else -%}
    select * from (
      {{ sql }}
    )
  {%- endif -%}
{%- endmacro %}

{# `partitioned by (…)` and `sorted by (…)`, as the configuration has them. A part can be made by an expression. #}
{% macro lake_layout(relation) -%}
  {%- set layout = [] -%}
  {%- for clause, keys in [('partitioned by', ['partitioned_by', 'partition_by']), ('sorted by', ['sorted_by', 'sort_by'])] -%}
    {%- set columns = config.get(keys[0]) or config.get(keys[1]) -%}
    {%- set columns = [columns] if columns is string else columns -%}
    {%- if columns and adapter.is_ducklake(relation) -%}
      {%- set written = [] -%}
      {%- for column in columns -%}
        {%- do written.append(column if keys[0] == 'partitioned_by' else adapter.quote(column)) -%}
      {%- endfor -%}
      {%- do layout.append(clause ~ ' (' ~ written | join(', ') ~ ')') -%}
    {%- elif columns -%}
      {%- do adapter.warn_once('`' ~ keys | join('` and `') ~ '` are for DuckLake: they do nothing for ' ~ relation) -%}
    {%- endif -%}
  {%- endfor -%}
  {{ return(layout) }}
{%- endmacro %}

{# Nothing hangs on the tables and views of a lake, and it knows no `cascade`. #}
{% macro duckdb__drop_table(relation) -%}
  drop table if exists {{ relation }}{{ ' cascade' if not adapter.is_ducklake(relation) }}
{%- endmacro %}

{% macro duckdb__drop_view(relation) -%}
  drop view if exists {{ relation }}{{ ' cascade' if not adapter.is_ducklake(relation) }}
{%- endmacro %}
