{# What a node's config and the command line say together. #}

{% macro is_incremental() %}
  {%- if not execute or model.config.materialized != 'incremental' or should_full_refresh() -%}
    {{ return(false) }}
  {%- endif -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {{ return(existing_relation is not none and existing_relation.type == 'table') }}
{% endmacro %}

{% macro should_full_refresh() %}
  {%- set configured = config.get('full_refresh') -%}
  {{ return(flags.FULL_REFRESH if configured is none else configured) }}
{% endmacro %}

{# `store_failures_as` decides where it is set: `ephemeral` keeps nothing. #}
{% macro should_store_failures() %}
  {%- set kept_as = config.get('store_failures_as') -%}
  {%- if kept_as is not none -%}{{ return(kept_as != 'ephemeral') }}{%- endif -%}
  {%- set configured = config.get('store_failures') -%}
  {{ return(flags.STORE_FAILURES if configured is none else configured) }}
{% endmacro %}

{% macro set_sql_header(config) -%}
  {%- do config.set('sql_header', caller()) -%}
{%- endmacro %}
