{# The table of what a model does not take in, beside the model: `<schema>.<model>__quarantine`. It has the columns of
   the rows that are held back, and the same few columns for every model. Whoever holds rows back does it here. #}

{% macro quarantine_relation(relation) -%}
  {{ return(relation.incorporate(path={'identifier': relation.identifier ~ '__quarantine'}, type='table')) }}
{%- endmacro %}

{# The columns that every such table has. #}
{% macro quarantine_columns() -%}
  {{ return({
    '_reasons': 'struct(code varchar, test_id varchar, "column" varchar, message varchar)[]',
    '_run_id': 'varchar', '_batch_id': 'varchar', '_source_file': 'varchar', '_row_hash': 'varchar',
    '_quarantined_at': 'timestamp with time zone', '_status': 'varchar',
  }) }}
{%- endmacro %}

{# One reason, as SQL; each part is SQL itself. #}
{% macro quarantine_reason(code, column='null', test_id='null', message='null') -%}
  {'code': cast({{ code }} as varchar), 'test_id': cast({{ test_id }} as varchar), 'column': cast({{ column }} as varchar), 'message': cast({{ message }} as varchar)}
{%- endmacro %}

{# What tells a row of the query `held_back` from others. #}
{% macro default__held_back_hash(columns) -%}md5(cast(held_back as varchar)){%- endmacro %}

{% macro datafusion__held_back_hash(columns) -%}{{ return(datafusion__row_hash(columns)) }}{%- endmacro %}

{# Adds the rows of a query, of which `_reasons` is a column, to the quarantine of a model: a part of the open
   transaction. The table is made, or gets further columns, as the rows need it. #}
{% macro add_to_quarantine(relation, rows_sql) -%}
  {%- set quarantine = quarantine_relation(relation) -%}
  {%- set given = adapter.get_column_schema_from_query(rows_sql) -%}
  {%- set fixed = quarantine_columns() -%}
  {%- set known = {} -%}
  {%- if load_cached_relation(quarantine) is none -%}
    {%- call statement('create_quarantine') -%}
      create table {{ quarantine }} (
        {%- for column in given if column.name not in fixed %}{{ column.quoted }} {{ column.data_type }}, {% endfor -%}
        {%- for name, type in fixed.items() %}{{ adapter.quote(name) }} {{ type }}{{ ', ' if not loop.last }}{% endfor -%}
      )
    {%- endcall -%}
    {%- do adapter.cache_added(quarantine) -%}
  {%- else -%}
    {%- for column in adapter.get_columns_in_relation(quarantine) -%}{%- do known.update({column.name | lower: column.data_type}) -%}{%- endfor -%}
    {%- for column in given if column.name not in fixed -%}
      {%- set type = known.get(column.name | lower) -%}
      {%- if type is none -%}
        {%- call statement('widen_quarantine') -%}alter table {{ quarantine }} add column {{ column.quoted }} {{ column.data_type }}{%- endcall -%}
      {%- elif type != column.data_type and not widens(column.data_type, type) -%}
        {%- call statement('widen_quarantine') -%}
          alter table {{ quarantine }} alter column {{ column.quoted }} type {{ column.data_type if widens(type, column.data_type) else 'varchar' }}
        {%- endcall -%}
      {%- endif -%}
    {%- endfor -%}
  {%- endif -%}
  {%- set own = given | map(attribute='name') | list -%}
  {%- set added = {
    '_run_id': ledger_value(invocation_id), '_batch_id': ledger_value(invocation_id), '_source_file': 'null',
    '_row_hash': adapter.dispatch('held_back_hash', 'dbt')(given), '_quarantined_at': 'now()', '_status': "'open'",
  } -%}
  {%- call statement('quarantine') -%}
    insert into {{ quarantine }} (
      {%- for column in given %}{{ column.quoted }}, {% endfor -%}
      {%- for name in added if name not in own %}{{ adapter.quote(name) }}{{ ', ' if not loop.last }}{% endfor -%})
    select {% for column in given %}{{ column.quoted }}, {% endfor -%}
      {%- for name, sql in added.items() if name not in own %}{{ sql }}{{ ', ' if not loop.last }}{% endfor %}
    from ({{ rows_sql }}) as held_back
  {%- endcall -%}
  {{ return(quarantine) }}
{%- endmacro %}
