{# The catalog of a DuckDB database: one row a column. #}

{% macro duckdb__get_catalog(information_schema, schemas) -%}
  {%- set conditions = [] -%}
  {%- for schema in schemas -%}{%- do conditions.append(duckdb__catalog_condition(schema)) -%}{%- endfor -%}
  {{ return(run_query(duckdb__catalog_sql(information_schema.database, conditions))) }}
{%- endmacro %}

{% macro duckdb__get_catalog_relations(information_schema, relations) -%}
  {%- set conditions = [] -%}
  {%- for relation in relations -%}
    {%- do conditions.append(duckdb__catalog_condition(relation.schema, relation.identifier)) -%}
  {%- endfor -%}
  {{ return(run_query(duckdb__catalog_sql(information_schema.database, conditions))) }}
{%- endmacro %}

{% macro duckdb__catalog_condition(schema, identifier=none) -%}
  lower(table_schema) = lower({{ dbt.string_literal(dbt.escape_single_quotes(schema)) }})
  {%- if identifier %} and lower(table_name) = lower({{ dbt.string_literal(dbt.escape_single_quotes(identifier)) }}){% endif -%}
{%- endmacro %}

{% macro duckdb__catalog_sql(database, conditions) -%}
  with relations as (
    select database_name, schema_name, table_name, 'BASE TABLE' as table_type, comment from duckdb_tables()
    union all
    select database_name, schema_name, view_name, 'VIEW', comment from duckdb_views()
  ),
  catalog as (
    select
      database_name as table_database,
      schema_name as table_schema,
      table_name,
      relations.table_type,
      relations.comment as table_comment,
      columns.column_name,
      columns.column_index,
      columns.data_type as column_type,
      columns.comment as column_comment,
      null as table_owner
    from relations
    join duckdb_columns() as columns using (database_name, schema_name, table_name)
  )
  select * from catalog
  where lower(table_database) = lower({{ dbt.string_literal(dbt.escape_single_quotes(database)) }})
    and ({{ conditions | join(' or ') or 'false' }})
  order by table_schema, table_name, column_index
{%- endmacro %}

{% macro duckdb__row_counts() -%}
  {{ return(run_query(
    'select database_name, schema_name, table_name, estimated_size from duckdb_tables() where not internal'
  )) }}
{%- endmacro %}
