{# What has happened, in tables of the schema `medal_meta` of the database that it happened in: each row is committed
   together with the data that it speaks of. Only models with a layer are told of. #}

{% macro create_ledger(database) -%}
  {%- set ledger = api.Relation.create(database=database, schema='medal_meta', identifier='nodes', type='table') -%}
  {%- call statement('create_ledger') -%}create schema if not exists {{ ledger.without_identifier() }}{%- endcall -%}
  {%- call statement('create_ledger') -%}
    create table if not exists {{ ledger }} (
      run_id varchar, model varchar, layer varchar, status varchar, recorded_at timestamp with time zone
    )
  {%- endcall -%}
{%- endmacro %}

{# A part of the transaction that builds a model. #}
{% macro record_in_ledger() -%}
  {%- if ledger_layer is defined and ledger_layer -%}
    {%- set ledger = this.incorporate(path={'schema': 'medal_meta', 'identifier': 'nodes'}) -%}
    {%- set values = [invocation_id, model['unique_id'], ledger_layer, 'success'] -%}
    {%- call statement('record_in_ledger') -%}
      insert into {{ ledger }} (run_id, model, layer, status, recorded_at)
      select {% for value in values %}{{ dbt.string_literal(dbt.escape_single_quotes(value)) }}, {% endfor %}now()
    {%- endcall -%}
  {%- endif -%}
{%- endmacro %}

{# The models whose rows a run has committed. #}
{% macro models_in_ledger(database, run) -%}
  {%- set ledger = adapter.get_relation(database, 'medal_meta', 'nodes') -%}
  {%- if ledger is none -%}{{ return([]) }}{%- endif -%}
  {%- set rows = run_query(
    'select distinct model from ' ~ ledger ~ ' where run_id = ' ~ dbt.string_literal(dbt.escape_single_quotes(run))
  ) -%}
  {{ return(rows.columns[0].values() | list) }}
{%- endmacro %}
