{# `persist_docs`: descriptions of the project as comments in the warehouse. #}

{% macro persist_docs(relation, model, for_relation=true, for_columns=true) -%}
  {{ return(adapter.dispatch('persist_docs', 'dbt')(relation, model, for_relation, for_columns)) }}
{%- endmacro %}

{% macro default__persist_docs(relation, model, for_relation=true, for_columns=true) -%}
  {%- if for_relation and config.persist_relation_docs() and model.description -%}
    {%- call statement('relation_comment') -%}{{ alter_relation_comment(relation, model.description) }}{%- endcall -%}
  {%- endif -%}
  {%- if for_columns and config.persist_column_docs() and model.columns -%}
    {%- set existing = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
    {%- set sql = alter_column_comment(relation, validate_doc_columns(relation, model.columns, existing)) | trim -%}
    {%- if sql -%}{%- call statement('column_comments') -%}{{ sql }}{%- endcall -%}{%- endif -%}
  {%- endif -%}
{%- endmacro %}

{# The documented columns that exist; warns of the others. Only quoted names mind upper and lower case. #}
{% macro validate_doc_columns(relation, column_dict, existing_column_names) -%}
  {%- set lower_names = existing_column_names | map('lower') | list -%}
  {%- set found = {} -%}
  {%- set missing = [] -%}
  {%- for name, column in column_dict.items() -%}
    {%- if name in existing_column_names or (not column.get('quote') and name | lower in lower_names) -%}
      {%- do found.update({name: column}) -%}
    {%- else -%}
      {%- do missing.append(name) -%}
    {%- endif -%}
  {%- endfor -%}
  {%- if missing -%}
    {%- do exceptions.warn(relation ~ " does not have these columns, which are documented: " ~ missing | join(', ')) -%}
  {%- endif -%}
  {{ return(found) }}
{%- endmacro %}

{% macro alter_relation_comment(relation, relation_comment) -%}
  {{ return(adapter.dispatch('alter_relation_comment', 'dbt')(relation, relation_comment)) }}
{%- endmacro %}

{% macro default__alter_relation_comment(relation, relation_comment) -%}
  comment on {{ relation.type }} {{ relation }} is {{ dbt.string_literal(dbt.escape_single_quotes(relation_comment)) }}
{%- endmacro %}

{% macro alter_column_comment(relation, column_dict) -%}
  {{ return(adapter.dispatch('alter_column_comment', 'dbt')(relation, column_dict)) }}
{%- endmacro %}

{% macro default__alter_column_comment(relation, column_dict) -%}
  {%- for name, column in column_dict.items() %}
    comment on column {{ relation }}.{{ adapter.quote(name) }} is {{ dbt.string_literal(dbt.escape_single_quotes(column['description'] or '')) }};
  {%- endfor -%}
{%- endmacro %}
