{# Tables of a lakehouse: how they are laid out, and what they are about. #}

{# `partition_by` is a column or a list of them; `table_properties` are properties of Delta Lake. #}
{% macro datafusion__table_options() -%}
  {%- set options = [] -%}
  {%- set columns = config.get('partition_by') or config.get('partitioned_by') or ('_ingest_date' if config.get('materialized') == 'ingest') -%}
  {%- if columns -%}
    {%- set columns = columns if columns is string else columns | join(', ') -%}
    {%- do options.append('partition_by = ' ~ dbt.string_literal(dbt.escape_single_quotes(columns))) -%}
  {%- endif -%}
  {%- for name, value in (config.get('table_properties') or {}).items() -%}
    {%- do options.append(adapter.quote(name) ~ ' = ' ~ dbt.string_literal(dbt.escape_single_quotes(value | string))) -%}
  {%- endfor -%}
  {{ return('with (' ~ options | join(', ') ~ ')' if options else '') }}
{%- endmacro %}

{% macro datafusion__create_table_as(temporary, relation, sql) -%}
  {%- set contract = config.get('contract') -%}
  {%- set enforced = contract and contract.enforced -%}
  {%- if temporary or enforced -%}
    {{ return(default__create_table_as(temporary, relation, sql)) }}
  {%- endif -%}
  {{ config.get('sql_header') or '' }}
  create or replace table {{ relation }} {{ datafusion__table_options() }} as (
    {{ sql }}
  )
{%- endmacro %}

{# Views have the same statement as tables. #}
{% macro datafusion__alter_relation_comment(relation, relation_comment) -%}
  comment on table {{ relation }} is {{ dbt.string_literal(dbt.escape_single_quotes(relation_comment)) }}
{%- endmacro %}
