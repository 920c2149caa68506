{# A model as a file, and a view that reads it. The rows go through a table that is gone before anybody sees it. #}
{% materialization external, adapter='duckdb' %}
  {%- set location = render(config.get('location') or external_location(this, config)) | trim -%}
  {%- set options = render_write_options(config) -%}
  {%- set write_options = adapter.external_write_options(location, options) -%}
  {%- set format = external_format(config.get('format'), options) -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set target_relation = this.incorporate(type='view') -%}
  {%- set staged_relation = make_intermediate_relation(this.incorporate(type='table'), '__dbt_tmp') -%}

  {%- do run_hooks(pre_hooks, inside_transaction=false) -%}
  {%- do run_hooks(pre_hooks, inside_transaction=true) -%}

  {%- call statement('stage') -%}{{ get_create_table_as_sql(false, staged_relation, sql) }}{%- endcall -%}
  {%- set is_empty = not run_query('select 1 from ' ~ staged_relation ~ ' limit 1') | length -%}
  {%- set columns = adapter.get_columns_in_relation(staged_relation) -%}
  {#- A file of no rows has no types, or no columns at all: a row of nulls keeps them, and the view leaves it out. -#}
  {%- if is_empty -%}
    {%- call statement('keep_columns') -%}
      insert into {{ staged_relation }} select {% for column in columns %}null{{ ', ' if not loop.last }}{% endfor %}
    {%- endcall -%}
  {%- endif -%}
  {%- do write_to_file(staged_relation, location, write_options) -%}
  {%- do adapter.drop_relation(staged_relation) -%}
  {%- set reads -%}
    select * from {{ external_reader(format, adapter.external_read_location(location, options), options) }}
    {%- if is_empty %} where {% for column in columns %}{{ column.quoted }} is not null{{ ' and ' if not loop.last }}{% endfor %}{% endif %}
  {%- endset -%}
  {%- call statement('main') -%}{{ external_view_sql(existing_relation, target_relation, reads) }}{%- endcall -%}

  {%- do run_hooks(post_hooks, inside_transaction=true) -%}
  {%- do apply_grants(target_relation, config.get('grants'), should_revoke(existing_relation)) -%}
  {%- do persist_docs(target_relation, model) -%}
  {%- do adapter.commit() -%}
  {%- do run_hooks(post_hooks, inside_transaction=false) -%}

  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% macro external_view_sql(existing_relation, target_relation, reads) -%}
  {%- if existing_relation is not none and existing_relation.type != 'view' -%}
    {{ get_drop_sql(existing_relation) }};
  {% endif -%}
  create or replace view {{ target_relation }} as ({{ reads }})
{%- endmacro %}

{# The format to read back: the one that is asked for, else the one that was written. #}
{% macro external_format(wanted, options) -%}
  {%- set known = ['csv', 'parquet', 'json'] -%}
  {%- if wanted and wanted not in known -%}
    {%- do exceptions.raise_compiler_error("the format of an external model is csv, parquet or json, not " ~ wanted) -%}
  {%- endif -%}
  {%- set written = options['format'] | lower -%}
  {{ return(wanted or (written if written in known else 'parquet')) }}
{%- endmacro %}

{# The call that reads files, with the options that the model gives for it. #}
{% macro external_reader(format, location, options) -%}
  {%- set defaults = {'parquet': {'union_by_name': false}} -%}
  {%- set settings = dict(config.get(format ~ '_read_options', defaults.get(format, {'auto_detect': true}))) -%}
  {%- if options.get('compression') and format != 'parquet' and 'compression' not in settings -%}
    {%- do settings.update({'compression': options['compression']}) -%}
  {%- endif -%}
  read_{{ format }}({{ dbt.string_literal(dbt.escape_single_quotes(location)) }}
  {%- for name, value in settings.items() -%}
    , {{ name }}={{ "'" ~ value ~ "'" if value is string else value }}
  {%- endfor -%}
  )
{%- endmacro %}
