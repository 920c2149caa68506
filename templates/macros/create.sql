{# SQL that makes tables and views. Each statement replaces what has the same name and type, so that a reader
   sees the old relation or the new one. #}

{% macro get_create_sql(relation, sql) -%}
  {{ return(adapter.dispatch('get_create_sql', 'dbt')(relation, sql)) }}
{%- endmacro %}

{% macro default__get_create_sql(relation, sql) -%}
  {%- if relation.is_view -%}
    {{ get_create_view_as_sql(relation, sql) }}
  {%- elif relation.is_table -%}
    {{ get_create_table_as_sql(false, relation, sql) }}
  {%- else -%}
    {%- do exceptions.raise_compiler_error("`get_create_sql` makes tables and views, " ~ relation ~ " is of type " ~ relation.type) -%}
  {%- endif -%}
{%- endmacro %}

{# The same where something may be there already: what is of another type is dropped first. #}
{% macro get_replace_sql(existing_relation, target_relation, sql) -%}
  {{ return(adapter.dispatch('get_replace_sql', 'dbt')(existing_relation, target_relation, sql)) }}
{%- endmacro %}

{% macro default__get_replace_sql(existing_relation, target_relation, sql) -%}
  {%- if existing_relation is not none and existing_relation.type != target_relation.type -%}
    {{ get_drop_sql(existing_relation) }};
  {% endif -%}
  {{ get_create_sql(target_relation, sql) }}
{%- endmacro %}

{# Takes away what holds a table that is built anew, and gives what `come_back` puts there again. #}
{% macro make_way(relation) -%}
  {{ return(adapter.dispatch('make_way', 'dbt')(relation) if relation is not none and relation.type == 'table' else []) }}
{%- endmacro %}

{% macro default__make_way(relation) -%}
  {{ return([]) }}
{%- endmacro %}

{% macro come_back(kept) -%}
  {%- do adapter.dispatch('come_back', 'dbt')(kept) if kept -%}
{%- endmacro %}

{% macro default__come_back(kept) -%}{%- endmacro %}

{% macro get_create_table_as_sql(temporary, relation, sql) -%}
  {{ return(adapter.dispatch('get_create_table_as_sql', 'dbt')(temporary, relation, sql)) }}
{%- endmacro %}

{% macro default__get_create_table_as_sql(temporary, relation, sql) -%}
  {{ return(create_table_as(temporary, relation, sql)) }}
{%- endmacro %}

{# What says how a table is laid out, where the engine lets one choose. #}
{% macro default__table_options() -%}{{ return('') }}{%- endmacro %}

{% macro create_table_as(temporary, relation, compiled_code, language='sql') -%}
  {%- if language != 'sql' -%}
    {%- do exceptions.raise_compiler_error("`create_table_as` takes SQL, this model is in " ~ language) -%}
  {%- endif -%}
  {{ return(adapter.dispatch('create_table_as', 'dbt')(temporary, relation, compiled_code)) }}
{%- endmacro %}

{# A contract's constraints stand in the column list, so such a table is filled by a second statement. #}
{% macro default__create_table_as(temporary, relation, sql) -%}
  {%- set contract = config.get('contract') -%}
  {%- set enforced = contract and contract.enforced -%}
  {%- if enforced -%}{%- do get_assert_columns_equivalent(sql) -%}{%- endif -%}
  {{ config.get('sql_header') or '' }}
  {% if enforced and not temporary -%}
    create or replace table {{ relation }} {{ get_table_columns_and_constraints() }};
    insert into {{ relation }} ({{ adapter.dispatch('get_column_names', 'dbt')() }})
    {{ get_select_subquery(sql) }}
  {%- else -%}
    create or replace {{ 'temporary ' if temporary }}table {{ relation.include(database=not temporary, schema=not temporary) }} as (
      {{ sql }}
    )
  {%- endif -%}
{%- endmacro %}

{% macro get_create_view_as_sql(relation, sql) -%}
  {{ return(adapter.dispatch('get_create_view_as_sql', 'dbt')(relation, sql)) }}
{%- endmacro %}

{% macro default__get_create_view_as_sql(relation, sql) -%}
  {{ return(create_view_as(relation, sql)) }}
{%- endmacro %}

{% macro create_view_as(relation, sql) -%}
  {{ return(adapter.dispatch('create_view_as', 'dbt')(relation, sql)) }}
{%- endmacro %}

{% macro default__create_view_as(relation, sql) -%}
  {%- set contract = config.get('contract') -%}
  {%- if contract and contract.enforced -%}{%- do get_assert_columns_equivalent(sql) -%}{%- endif -%}
  {{ config.get('sql_header') or '' }}
  create or replace view {{ relation }} as (
    {{ sql }}
  )
{%- endmacro %}
