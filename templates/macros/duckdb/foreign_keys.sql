{# DuckDB neither replaces nor drops a table that a foreign key leads to, and drops no foreign key. So the tables with
   such keys make way, and come back as plain tables: the same run builds them, with their keys, after this one. #}

{% macro duckdb__make_way(relation) -%}
  {%- set readers = foreign_keys_to(relation) -%}
  {%- set problems = [] -%}
  {%- for key in readers -%}
    {%- set problem = why_not_built_later(relation, key) -%}
    {%- do problems.append(key.table ~ ' (' ~ problem ~ ')') if problem -%}
  {%- endfor -%}
  {%- if problems -%}
    {%- do exceptions.raise_compiler_error(
      relation ~ " cannot be built anew, as foreign keys lead to it from tables that this run does not build after it: "
      ~ problems | join('; ')) -%}
  {%- endif -%}
  {%- set kept = [] -%}
  {%- for key in readers -%}
    {%- set table = relation.incorporate(path={'identifier': key.table}, type='table') -%}
    {%- set copy = relation.incorporate(path={'identifier': key.table ~ '__dbt_fk_backup'}, type='table') -%}
    {%- call statement('keep') -%}create or replace table {{ copy }} as select * from {{ table }}{%- endcall -%}
    {%- call statement('drop') -%}drop table {{ table }}{%- endcall -%}
    {%- do kept.append({'table': table, 'copy': copy}) -%}
  {%- endfor -%}
  {{ return(kept) }}
{%- endmacro %}

{% macro duckdb__come_back(kept) -%}
  {%- for item in kept -%}
    {%- call statement('restore') -%}
      alter table {{ item.copy }} rename to {{ adapter.quote(item.table.identifier) }}
    {%- endcall -%}
  {%- endfor -%}
{%- endmacro %}

{# The tables whose keys lead to a table, also by way of others: `table`, and `targets` of its keys. The farthest come
   first. A foreign key of DuckDB stays in its schema. #}
{% macro foreign_keys_to(relation) -%}
  {%- call statement('foreign_keys', fetch_result=true) -%}
    with recursive keys as (
      select distinct lower(table_name) as table_name, lower(referenced_table) as target
      from duckdb_constraints()
      where constraint_type = 'FOREIGN KEY' and lower(table_name) <> lower(referenced_table)
        and lower(database_name) = lower('{{ adapter.escape_sql_string(relation.database) }}')
        and lower(schema_name) = lower('{{ adapter.escape_sql_string(relation.schema) }}')
    ),
    readers(table_name, steps) as (
      select table_name, 1 from keys where target = lower('{{ adapter.escape_sql_string(relation.identifier) }}')
      union
      select keys.table_name, steps + 1 from keys join readers on keys.target = readers.table_name
    )
    select table_name, string_agg(distinct target, ',') as targets
    from readers join keys using (table_name)
    group by table_name
    order by max(steps) desc, table_name
  {%- endcall -%}
  {%- set found = [] -%}
  {%- for row in load_result('foreign_keys').table -%}
    {%- do found.append({'table': row[0], 'targets': row[1].split(',')}) -%}
  {%- endfor -%}
  {{ return(found) }}
{%- endmacro %}

{# Nothing if this run builds the table after the one that its key leads to. #}
{% macro why_not_built_later(relation, key) -%}
  {%- set nodes = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | list -%}
  {%- set own = [] -%}
  {%- set targets = [] -%}
  {%- for node in nodes if node.schema | lower == relation.schema | lower -%}
    {%- do own.append(node) if node.alias | lower == key.table -%}
    {%- do targets.append(node.unique_id) if node.alias | lower in key.targets -%}
  {%- endfor -%}
  {%- set node = own | first if own else none -%}
  {%- if node is none -%}
    {{ return('no model of this project builds it') }}
  {%- elif node.unique_id not in selected_resources -%}
    {{ return('`' ~ node.name ~ '` is not selected') }}
  {%- elif not (targets | select('in', node.depends_on.nodes) | list) -%}
    {{ return('`' ~ node.name ~ '` does not read what its key leads to: write `to: ref(…)`') }}
  {%- endif -%}
  {%- set full = node.config.full_refresh if node.config.full_refresh is not none else flags.FULL_REFRESH -%}
  {%- if node.config.materialized != 'table' and not (node.config.materialized == 'incremental' and full) -%}
    {{ return('`' ~ node.name ~ '` would lose its rows: it is built anew with `--full-refresh`') }}
  {%- endif -%}
  {{ return('') }}
{%- endmacro %}
