{# Schemas and relations in DuckDB. #}

{# Attached databases of other systems may have no schemas of their own. #}
{% macro duckdb__create_schema(relation) -%}
  {%- set sql -%}
    select type from duckdb_databases()
    where lower(database_name) = lower({{ dbt.string_literal(dbt.escape_single_quotes(relation.database or '')) }})
  {%- endset -%}
  {%- set kinds = run_query(sql) -%}
  {%- set kind = kinds.columns[0].values()[0] if kinds | length > 0 else 'duckdb' -%}
  {%- if kind == 'sqlite' and relation.schema != 'main' -%}
    {%- do exceptions.raise_compiler_error("a SQLite database has one schema, `main`, and the project asks for `" ~ relation.schema ~ "`") -%}
  {%- elif kind not in ['sqlite', 'mysql'] -%}
    {%- do default__create_schema(relation) -%}
  {%- endif -%}
{%- endmacro %}

{% macro duckdb__list_schemas(database) -%}
  {%- set sql -%}
    select schema_name
    from system.information_schema.schemata
    {%- if database is not none %}
    where lower(catalog_name) = lower({{ dbt.string_literal(dbt.escape_single_quotes(database)) }})
    {%- endif -%}
  {%- endset -%}
  {{ return(run_query(sql)) }}
{%- endmacro %}

{% macro duckdb__check_schema_exists(information_schema, schema) -%}
  {%- set sql -%}
    select count(*)
    from system.information_schema.schemata
    where lower(schema_name) = lower({{ dbt.string_literal(dbt.escape_single_quotes(schema)) }})
      and lower(catalog_name) = lower({{ dbt.string_literal(dbt.escape_single_quotes(information_schema.database)) }})
  {%- endset -%}
  {{ return(run_query(sql)) }}
{%- endmacro %}

{% macro duckdb__list_relations_without_caching(schema_relation) -%}
  {%- set database = dbt.string_literal(dbt.escape_single_quotes(schema_relation.database)) -%}
  {%- set schema = dbt.string_literal(dbt.escape_single_quotes(schema_relation.schema)) -%}
  {%- call statement('list_relations_without_caching', fetch_result=true) -%}
    select
      {{ database }} as database,
      table_name as name,
      table_schema as schema,
      case when table_type = 'VIEW' then 'view' else 'table' end as type
    from system.information_schema.tables
    where lower(table_schema) = lower({{ schema }})
      and lower(table_catalog) = lower({{ database }})
  {%- endcall -%}
  {{ return(load_result('list_relations_without_caching').table) }}
{%- endmacro %}

{# A temporary table belongs to one connection and has no schema. #}
{% macro duckdb__make_temp_relation(base_relation, suffix) -%}
  {{ return(base_relation.incorporate(
    path={'database': none, 'schema': none, 'identifier': base_relation.identifier ~ suffix}, type='table'
  )) }}
{%- endmacro %}
