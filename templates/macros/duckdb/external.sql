{# External models: tables that are files. #}

{# Where a model's file goes if the model does not say: into `external_root`, under the model's name. #}
{% macro external_location(relation, config) -%}
  {{ adapter.external_root() }}/{{ relation.identifier }}
  {%- if config.get('options', {}).get('partition_by') is none -%}.{{ config.get('format') or 'parquet' }}{%- endif -%}
{%- endmacro %}

{# `options`, with `format` and `delimiter` of the model itself; texts may be templates. #}
{% macro render_write_options(config) -%}
  {%- if (config.get('options') or {}) is not mapping -%}
    {%- do exceptions.raise_compiler_error("`options` of an external model is a mapping, not " ~ config.get('options')) -%}
  {%- endif -%}
  {%- set options = dict(config.get('options') or {}) -%}
  {%- for name in options -%}{%- do options.update({name: render(options[name] | string)}) -%}{%- endfor -%}
  {%- for name in ['format', 'delimiter'] if config.get(name) -%}
    {%- do options.update({name: render(config.get(name))}) -%}
  {%- endfor -%}
  {{ return(options) }}
{%- endmacro %}

{% macro write_to_file(relation, location, options) -%}
  {%- call statement('write_to_file') -%}
    copy {{ relation }} to {{ dbt.string_literal(dbt.escape_single_quotes(location)) }} ({{ options }})
  {%- endcall -%}
{%- endmacro %}

{% macro location_exists(location) -%}{{ return(adapter.location_exists(location)) }}{%- endmacro %}

{% macro store_relation(plugin, relation, location, format, config) -%}
  {%- do adapter.store_relation(plugin, relation, adapter.get_columns_in_relation(relation), location, format, config) -%}
{%- endmacro %}

{# For `on-run-start` of a project whose database does not last: views on the files of external models that are read
   in this run and not built by it. #}
{% macro register_upstream_external_models() -%}
  {%- if not execute -%}{{ return('') }}{%- endif -%}
  {%- set upstream = [] -%}
  {%- for id in selected_resources if id in graph['nodes'] -%}
    {%- for parent in graph['nodes'][id]['depends_on']['nodes'] if parent in graph['nodes'] and parent not in selected_resources -%}
      {%- if graph['nodes'][parent]['config']['materialized'] == 'external' and parent not in upstream -%}{%- do upstream.append(parent) -%}{%- endif -%}
    {%- endfor -%}
  {%- endfor -%}
  {%- for id in upstream -%}
    {%- set node = graph['nodes'][id] -%}
    {%- set relation = api.Relation.create(database=node['database'], schema=node['schema'], identifier=node['alias']) -%}
    {%- set location = render(node['config'].get('location') or external_location(relation, node['config'])) | trim -%}
    {%- set options = render_write_options(node['config']) -%}
    {%- do adapter.external_write_options(location, options) -%}
    {%- set reader = dbt.string_literal(dbt.escape_single_quotes(adapter.external_read_location(location, options))) -%}
    {%- call statement('register') -%}create schema if not exists {{ relation.without_identifier() }}{%- endcall -%}
    {%- call statement('register') -%}create or replace view {{ relation }} as (select * from {{ reader }}){%- endcall -%}
  {%- endfor -%}
  {%- if upstream -%}{%- do adapter.commit() -%}{%- endif -%}
{%- endmacro %}
