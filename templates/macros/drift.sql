{# Schema drift: how the columns of what was built differ from those of the version before. What is different is written
   into `schema_versions`; whether it may be published is decided where `on_schema_change` of a layer is read. #}

{# The columns of the last version: those of the ledger, else (`before`) of the table that was set aside. #}
{% macro columns_before(before) -%}
  {%- set rows = run_query(
    'select version, columns_json from ' ~ ledger_relation('schema_versions') ~ ' where model = '
    ~ ledger_value(model['unique_id']) ~ " and class <> 'refused' and approved_by is null order by version desc, recorded_at desc limit 1"
  ) -%}
  {%- if rows | length -%}{{ return({'version': rows[0][0], 'columns': fromjson(rows[0][1])}) }}{%- endif -%}
  {%- set kept = load_cached_relation(version_relation(before.version)) if before.is_kept else none -%}
  {{ return({'version': 0, 'columns': column_types(kept) if kept is not none else none}) }}
{%- endmacro %}

{# A text has one type, however long it may be. #}
{% macro plain_type(column) -%}{{ return('VARCHAR' if column.is_string() else column.data_type) }}{%- endmacro %}

{% macro column_types(relation) -%}
  {%- set types = {} -%}
  {%- for column in adapter.get_columns_in_relation(relation) -%}{%- do types.update({column.name: plain_type(column)}) -%}{%- endfor -%}
  {{ return(types) }}
{%- endmacro %}

{# What has changed, and whether `medal schema approve` has allowed just that. #}
{% macro schema_drift(before) -%}
  {%- set built = load_cached_relation(this) -%}
  {%- if built is none -%}{{ return(none) }}{%- endif -%}
  {%- set last = columns_before(before) -%}
  {%- set now = column_types(built) -%}
  {%- set changes = [] -%}
  {%- for name, type in now.items() if last.columns is not none and last.columns.get(name) != type -%}
    {%- set old = last.columns.get(name) -%}
    {%- set is_harmless = old is none or widens(old, type) -%}
    {%- do changes.append({'column': name, 'old': old, 'new': type, 'class': 'compatible' if is_harmless else 'breaking'}) -%}
  {%- endfor -%}
  {%- for name, type in (last.columns or {}).items() if name not in now -%}
    {%- do changes.append({'column': name, 'old': type, 'new': none, 'class': 'breaking'}) -%}
  {%- endfor -%}
  {%- set columns = tojson(now) -%}
  {%- set approved = run_query(
    'select 1 from ' ~ ledger_relation('schema_versions') ~ ' where approved_by is not null and model = '
    ~ ledger_value(model['unique_id']) ~ ' and hash = ' ~ ledger_value(local_md5(columns)) ~ ' limit 1'
  ) | length > 0 if changes else false -%}
  {{ return({'is_first': last.columns is none, 'version': last.version + 1, 'columns': columns, 'changes': changes, 'approved': approved}) }}
{%- endmacro %}

{# A row for a version of the columns, if they are new. #}
{% macro record_drift(drift, status) -%}
  {%- if drift and (drift.is_first or drift.changes) -%}
    {%- set classes = drift.changes | map(attribute='class') | list -%}
    {%- set class = 'initial' if drift.is_first else 'breaking' if 'breaking' in classes else 'compatible' -%}
    {%- do add_to_ledger('schema_versions', {
      'version': drift.version, 'hash': local_md5(drift.columns), 'columns_json': drift.columns, 'first_run': invocation_id,
      'changes_json': tojson(drift.changes), 'class': class if status == 'success' else 'refused',
    }) -%}
  {%- endif -%}
{%- endmacro %}

{# Every change of the columns, one a row. #}
{% macro schema_changes_of(since) -%}
  {%- set sql -%}
    select {{ ledger_value(model.name) }} as model, recorded_at::date as since, class, change.column, change.old, change.new, approved_by
    from (
      select *, unnest(from_json(changes_json, '[{"column": "VARCHAR", "old": "VARCHAR", "new": "VARCHAR"}]')) as change
      from {{ ledger_relation('schema_versions') }} where model = {{ ledger_value(model['unique_id']) }}
    )
    order by recorded_at
  {%- endset -%}
  {{ return(sql) }}
{%- endmacro %}

{# Lets the columns that were refused last be published: how many of them have changed; none, if none were. #}
{% macro approve_schema(reason) -%}
  {%- set rows = run_query(
    'select class, version, hash, columns_json, changes_json from ' ~ ledger_relation('schema_versions') ~ ' where model = '
    ~ ledger_value(model['unique_id']) ~ ' and approved_by is null order by recorded_at desc limit 1'
  ) -%}
  {%- if not rows | length or rows[0][0] != 'refused' -%}{{ return(none) }}{%- endif -%}
  {%- do add_to_ledger('schema_versions', {
    'version': rows[0][1], 'hash': rows[0][2], 'columns_json': rows[0][3], 'first_run': invocation_id, 'changes_json': '[]',
    'class': 'approved', 'approved_by': reason,
  }) -%}
  {{ return(fromjson(rows[0][4]) | length) }}
{%- endmacro %}
