{# What has happened, in tables of the schema `medal_meta` of the database that it happened in: each row is committed
   together with the data that it speaks of. Rows are added, never changed. #}

{# Every table of the ledger and its columns: the only place that says so. A column that a ledger of an older medal
   does not have is added. #}
{% macro ledger_tables() -%}
  {{ return({
    'nodes': {
      'run_id': 'varchar', 'model': 'varchar', 'layer': 'varchar', 'status': 'varchar',
      'recorded_at': 'timestamp with time zone', 'mode': 'varchar',
      'rows_in': 'bigint', 'rows_out': 'bigint', 'rows_quarantined': 'bigint', 'rows_dropped': 'bigint',
      'rows_deduplicated': 'bigint', 'rows_deleted': 'bigint', 'rows_late': 'bigint', 'rows_filtered': 'bigint',
      'rows_merged': 'bigint',
    },
    'files': {
      'run_id': 'varchar', 'model': 'varchar', 'path': 'varchar', 'size': 'bigint', 'modified': 'bigint',
      'sha256': 'varchar', 'rows': 'bigint', 'bad_rows': 'bigint', 'batch_id': 'varchar', 'status': 'varchar',
      'duplicate_of': 'varchar', 'first_seen': 'timestamp with time zone',
    },
    'schema_versions': {
      'run_id': 'varchar', 'model': 'varchar', 'version': 'bigint', 'hash': 'varchar', 'columns_json': 'varchar',
      'first_run': 'varchar', 'class': 'varchar', 'changes_json': 'varchar', 'approved_by': 'varchar',
      'recorded_at': 'timestamp with time zone',
    },
    'watermarks': {
      'run_id': 'varchar', 'model': 'varchar', 'mode': 'varchar', 'high': 'varchar', 'low': 'varchar', 'late_rows': 'bigint',
      'lag_s': 'double', 'source_versions_json': 'varchar', 'recorded_at': 'timestamp with time zone',
    },
    'runs': {
      'run_id': 'varchar', 'command': 'varchar', 'status': 'varchar', 'exit_code': 'bigint', 'target': 'varchar',
      'medal_version': 'varchar', 'started_at': 'timestamp with time zone', 'recorded_at': 'timestamp with time zone',
    },
    'publications': {
      'run_id': 'varchar', 'model': 'varchar', 'from_version': 'varchar', 'to_version': 'varchar', 'state': 'varchar',
      'rows': 'bigint', 'note': 'varchar', 'recorded_at': 'timestamp with time zone',
    },
    'checks': {
      'run_id': 'varchar', 'model': 'varchar', 'test_id': 'varchar', 'action': 'varchar', 'status': 'varchar',
      'failures': 'bigint', 'rows': 'bigint', 'recorded_at': 'timestamp with time zone',
    },
  }) }}
{%- endmacro %}

{% macro ledger_relation(table, database=none) -%}
  {{ return(api.Relation.create(database=database or this.database, schema='medal_meta', identifier=table, type='table')) }}
{%- endmacro %}

{% macro create_ledger(database) -%}
  {%- call statement('create_ledger') -%}
    create schema if not exists {{ ledger_relation('nodes', database).without_identifier() }}
  {%- endcall -%}
  {%- for table, columns in ledger_tables().items() -%}
    {%- call statement('create_ledger') -%}
      create table if not exists {{ ledger_relation(table, database) }} (
        {%- for name, type in columns.items() %}{{ adapter.quote(name) }} {{ type }}{{ ', ' if not loop.last }}{% endfor -%}
      )
    {%- endcall -%}
    {%- set known = adapter.get_columns_in_relation(ledger_relation(table, database)) | map(attribute='name') | list -%}
    {%- for name, type in columns.items() if name not in known -%}
      {%- call statement('create_ledger') -%}
        alter table {{ ledger_relation(table, database) }} add column {{ adapter.quote(name) }} {{ type }}
      {%- endcall -%}
    {%- endfor -%}
  {%- endfor -%}
{%- endmacro %}

{# A value as SQL: a text, a number or nothing. #}
{% macro ledger_value(value) -%}
  {%- if value is none -%}null
  {%- elif value is string -%}{{ dbt.string_literal(dbt.escape_single_quotes(value)) }}
  {%- else -%}{{ value }}
  {%- endif -%}
{%- endmacro %}

{# Adds a row about this model to a table of the ledger, as a part of the open transaction. #}
{% macro add_to_ledger(table, values) -%}
  {%- set row = dict({'run_id': invocation_id, 'model': model['unique_id']}, **values) -%}
  {%- call statement('add_to_ledger') -%}
    insert into {{ ledger_relation(table) }} (
      {%- for name in row %}{{ adapter.quote(name) }}, {% endfor %}{{ 'first_seen' if table == 'files' else 'recorded_at' }})
    select {% for value in row.values() %}{{ ledger_value(value) }}, {% endfor %}now()
  {%- endcall -%}
{%- endmacro %}

{# That a model was built, with what happened to its rows: a part of the transaction that builds it. #}
{% macro record_in_ledger(counts={}) -%}
  {%- if ledger_entry is defined and ledger_entry -%}
    {%- do add_to_ledger('nodes', dict({'layer': ledger_entry['layer'], 'status': 'success'}, **counts)) -%}
  {%- endif -%}
{%- endmacro %}

{# The models whose rows a run has committed. #}
{% macro models_in_ledger(database, run) -%}
  {%- set ledger = adapter.get_relation(database, 'medal_meta', 'nodes') -%}
  {%- if ledger is none -%}{{ return([]) }}{%- endif -%}
  {%- set rows = run_query(
    'select distinct model from ' ~ ledger ~ ' where status = \'success\' and run_id = ' ~ ledger_value(run)
  ) -%}
  {{ return(rows.columns[0].values() | list) }}
{%- endmacro %}
