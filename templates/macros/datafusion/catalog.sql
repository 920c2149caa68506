{# The catalog of a lakehouse: one row a column. #}

{% macro datafusion__get_catalog(information_schema, schemas) -%}
  {%- set conditions = [] -%}
  {%- for schema in schemas -%}{%- do conditions.append(duckdb__catalog_condition(schema)) -%}{%- endfor -%}
  {{ return(run_query(datafusion__catalog_sql(information_schema.database, conditions))) }}
{%- endmacro %}

{% macro datafusion__get_catalog_relations(information_schema, relations) -%}
  {%- set conditions = [] -%}
  {%- for relation in relations -%}
    {%- do conditions.append(duckdb__catalog_condition(relation.schema, relation.identifier)) -%}
  {%- endfor -%}
  {{ return(run_query(datafusion__catalog_sql(information_schema.database, conditions))) }}
{%- endmacro %}

{% macro datafusion__catalog_sql(database, conditions) -%}
  select
    table_catalog as table_database, table_schema, table_name, table_type, table_comment,
    column_name, ordinal_position as column_index, data_type as column_type, column_comment,
    cast(null as varchar) as table_owner
  from {{ information_schema_name(database) }}.columns
  where {{ conditions | join(' or ') or 'false' }}
  order by table_schema, table_name, column_index
{%- endmacro %}
