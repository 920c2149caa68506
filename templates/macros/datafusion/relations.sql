{# Relations of a lakehouse: what the adapter lists, and how rows are brought into tables. #}

{% macro datafusion__list_relations_without_caching(schema_relation) -%}
  {%- call statement('list_relations_without_caching', fetch_result=true) -%}
    select table_catalog as database, table_name as name, table_schema as schema,
      case when table_type = 'VIEW' then 'view' else 'table' end as type
    from {{ information_schema_name(schema_relation.database) }}.tables
    where lower(table_schema) = lower({{ dbt.string_literal(dbt.escape_single_quotes(schema_relation.schema)) }})
  {%- endcall -%}
  {{ return(load_result('list_relations_without_caching').table) }}
{%- endmacro %}

{% macro datafusion__get_columns_in_relation(relation) -%}
  {%- call statement('get_columns_in_relation', fetch_result=true) -%}describe {{ relation }}{%- endcall -%}
  {{ return(sql_convert_columns_in_relation(load_result('get_columns_in_relation').table)) }}
{%- endmacro %}

{# A temporary table belongs to one connection and has no schema. #}
{% macro datafusion__make_temp_relation(base_relation, suffix) -%}
  {{ return(base_relation.incorporate(
    path={'database': none, 'schema': none, 'identifier': base_relation.identifier ~ suffix}, type='table'
  )) }}
{%- endmacro %}

{% macro datafusion__get_incremental_default_sql(arg_dict) -%}
  {{ return(get_incremental_delete_insert_sql(arg_dict)) }}
{%- endmacro %}

{# As DuckDB has it, so that a project builds the same rows on both. #}
{% macro datafusion__get_delete_insert_merge_sql(target, source, unique_key, dest_columns, incremental_predicates) -%}
  {{ return(duckdb__get_delete_insert_merge_sql(target, source, unique_key, dest_columns, incremental_predicates)) }}
{%- endmacro %}

{% macro datafusion__apply_grants(relation, grant_config, should_revoke=true) -%}
  {%- if grant_config -%}{%- do adapter.warn_once("a lakehouse has no grants: those of the project do nothing") -%}{%- endif -%}
{%- endmacro %}
