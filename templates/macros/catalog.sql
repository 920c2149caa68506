{# The catalog: every column of the project's relations, for the docs. #}

{% macro get_catalog(information_schema, schemas) -%}
  {{ return(adapter.dispatch('get_catalog', 'dbt')(information_schema, schemas)) }}
{%- endmacro %}

{% macro get_catalog_relations(information_schema, relations) -%}
  {{ return(adapter.dispatch('get_catalog_relations', 'dbt')(information_schema, relations)) }}
{%- endmacro %}

{# How many rows tables have, as far as the engine knows without counting: database, schema, table, rows. #}
{% macro row_counts() -%}
  {{ return(adapter.dispatch('row_counts', 'dbt')()) }}
{%- endmacro %}

{% macro default__row_counts() -%}{{ return(none) }}{%- endmacro %}
