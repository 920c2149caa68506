{# How a lakehouse reads landed files: they are read once for what is wrong with them, once for their fields, and once for
   their records, and never kept as a whole. The fields of a file are `f0`, `f1` … #}

{% macro landed_list(texts) -%}[{% for text in texts %}{{ ledger_value(text) }}{{ ', ' if not loop.last }}{% endfor %}]{%- endmacro %}

{% macro datafusion__heads_landed(settings) -%}
  {%- set files = ingest_table('__files') -%}
  {%- set new = ingest_rows("select file from " ~ files ~ " where state in ('new', 'changed') order by number") | map('first') | list -%}
  {%- if not new -%}{{ return('') }}{%- endif -%}
  {%- set heads = ingest_table('__listed') -%}
  {%- do ingest_run('create or replace temporary table ' ~ heads ~ ' as select * from read_heads(' ~ landed_list(new) ~ ')') -%}
  {%- for number, reason in ingest_rows('select number, heads.reason from ' ~ heads ~ ' as heads join ' ~ files ~ ' as files on files.file = heads.file where heads.reason is not null order by number') -%}
    {%- do bad_files(settings, number, number, reason) -%}
  {%- endfor -%}
  {%- do ingest_run('create or replace temporary table ' ~ files ~ ' as
    select files.* exclude (head), heads.head from ' ~ files ~ ' as files left join ' ~ heads ~ ' as heads on heads.file = files.file') -%}
{%- endmacro %}

{% macro datafusion__read_landed(settings) -%}
  {%- do part_landed(settings) -%}
  {%- set files = ingest_table('__files') -%}
  {%- set groups = [] -%}
  {%- set is_raw = settings['schema_mode'] == 'raw' -%}
  {%- for part, low, high, head in ingest_rows(
    'select part, min(number), max(number), any_value(head) from ' ~ files
    ~ " where state in ('new', 'changed') and part > 0 group by part order by part") -%}
    {%- set group = {
      'part': part, 'form': 'lines' if is_raw and settings['format'] in ['csv', 'ndjson'] else settings['format'],
      'names': fromjson(head) if head else [], 'fields': [],
    } -%}
    {%- if group.form == 'csv' and group.names | map('lower') | unique | list | length != group.names | length -%}
      {%- do bad_files(settings, low, high, 'two columns have one name: ' ~ group.names | join(', ')) -%}
    {%- else -%}
      {%- do datafusion__rejects(settings, group) -%}
      {%- if datafusion__files(group) -%}
        {%- do group.update({'fields': fields_landed(settings, group)}) -%}
        {%- do groups.append(group) -%}
      {%- endif -%}
    {%- endif -%}
  {%- endfor -%}
  {{ return(groups) }}
{%- endmacro %}

{# The files of a form that are not set aside. #}
{% macro datafusion__files(group) -%}
  {{ return(ingest_rows('select file from ' ~ ingest_table('__files')
    ~ " where state in ('new', 'changed') and part = " ~ group.part ~ ' order by number') | map('first') | list) }}
{%- endmacro %}

{# The reader of the records of a form, with these fields. Files that were `checked` can be read. #}
{% macro datafusion__records(settings, group, names, whole=false, checked=true) -%}
  read_records({{ landed_list(datafusion__files(group)) }}, format={{ ledger_value(group.form) }}, names={{ landed_list(names) }},
    whole={{ whole }}, checked={{ checked }}, objects={{ settings['schema_mode'] != 'raw' }}
    {%- for name, value in settings['csv'].items() %}, {{ name }}={{ ledger_value(value) }}{% endfor %})
{%- endmacro %}

{# Moves what the reader refuses to `__bad`, and sets files aside that it cannot read. #}
{% macro datafusion__rejects(settings, group) -%}
  {%- set found = ingest_table('__rejects') -%}
  {%- do ingest_run('create or replace temporary table ' ~ found ~ ' as
    select medal__file as file, medal__number as number, medal__raw as raw, medal__reason as message, medal__field as field
    from ' ~ datafusion__records(settings, group, group.names if group.form == 'csv' else [], checked=false) ~ ' where medal__reason is not null') -%}
  {%- for number, reason in ingest_rows('select files.number, found.message from ' ~ found ~ ' as found join ' ~ ingest_table('__files')
    ~ ' as files on files.file = found.file where found.number is null order by files.number') -%}
    {%- do bad_files(settings, number, number, reason) -%}
  {%- endfor -%}
  {%- do ingest_run('insert into ' ~ ingest_table('__bad') ~ ' select file, number, raw, message, field from ' ~ found
    ~ ' where file not in (select file from ' ~ found ~ ' where number is null)') -%}
  {%- do ingest_run('drop table ' ~ found) -%}
{%- endmacro %}

{% macro datafusion__guesses_landed(settings, group) -%}
  select {% for name in group.names %}{{ guessed_type('f' ~ loop.index0) }} as g{{ loop.index0 }}{{ ', ' if not loop.last }}{% endfor %}
  from {{ datafusion__records(settings, group, group.names) }} where medal__reason is null
{%- endmacro %}

{% macro datafusion__json_types_landed(settings, group) -%}
  {%- set types = {} -%}
  {%- for key, type in ingest_rows('select key, type from read_fields(' ~ landed_list(datafusion__files(group)) ~ ', format=' ~ ledger_value(group.form) ~ ') order by place') -%}
    {%- if key not in types -%}{%- do types.update({key: []}) -%}{%- endif -%}
    {%- do types[key].append(type) -%}
  {%- endfor -%}
  {{ return(types) }}
{%- endmacro %}

{# Lists, structs and maps in a type. #}
{% macro nesting_of_type(type) -%}{{ return([type.count('[]'), type.count('STRUCT('), type.count('MAP(')]) }}{%- endmacro %}

{% macro datafusion__landed_value(group, field, column, place) -%}
  {%- set type = column['data_type'] -%}
  {%- if field.name == '_raw' and group.form == 'parquet' -%}
    {%- set members = [] -%}
    {%- for name, _ in group.names -%}
      {%- do members.append(ledger_value(name) ~ ', coalesce(to_json(f' ~ loop.index0 ~ "), 'null')") -%}
    {%- endfor -%}
    {{ return({'value': 'medal_object(' ~ members | join(', ') ~ ')', 'misfit': none}) }}
  {%- elif field.name == '_raw' -%}
    {{ return({'value': 'medal__record', 'misfit': none}) }}
  {%- elif group.form == 'parquet' -%}
    {%- if type == field.data_type or widens(field.data_type, type) -%}{{ return({'value': place ~ '::' ~ type, 'misfit': none}) }}{%- endif -%}
    {#- A list is never a number: the engine does not try. -#}
    {%- if nesting_of_type(type) != nesting_of_type(field.data_type) -%}{{ return({'value': 'null', 'misfit': place ~ ' is not null'}) }}{%- endif -%}
    {%- set cast = 'try_cast(' ~ place ~ ' as ' ~ type ~ ')' -%}
    {%- set fits = '(' ~ cast ~ ' is not null and try_cast(' ~ cast ~ ' as ' ~ field.data_type ~ ') is not distinct from ' ~ place ~ ')' -%}
    {{ return({'value': 'case when ' ~ fits ~ ' then ' ~ cast ~ ' end', 'misfit': place ~ ' is not null and not ' ~ fits}) }}
  {%- endif -%}
  {%- set is_json = group.form != 'csv' -%}
  {%- set text = "json_extract_string(" ~ place ~ ", '$')" if is_json else place -%}
  {%- if type | upper == 'JSON' and is_json -%}
    {{ return({'value': "nullif(" ~ place ~ ", 'null')", 'misfit': none}) }}
  {%- elif type | upper in ['VARCHAR', 'TEXT', 'STRING'] -%}
    {{ return({'value': text, 'misfit': none}) }}
  {%- endif -%}
  {%- set fits = fits_type(text, type) -%}
  {{ return({'value': 'case when ' ~ fits ~ ' then try_cast(' ~ text ~ ' as ' ~ type ~ ') end', 'misfit': text ~ ' is not null and not ' ~ fits}) }}
{%- endmacro %}

{# Puts the records into columns; the fields that do not fit into theirs, or have none, into `_rescued`. #}
{% macro datafusion__fill_landed(settings, groups, shape) -%}
  {%- set landed = ingest_table('__landed') -%}
  {%- set is_strict = settings['schema_mode'] == 'strict' -%}
  {%- do ingest_run('create or replace temporary table ' ~ landed ~ ' (' ~ landed_columns(shape) ~ (', medal__file varchar, medal__record varchar' if is_strict else '') ~ ')') -%}
  {%- for group in groups -%}
    {%- do ingest_run(datafusion__landed_sql(settings, group, shape, landed, is_strict)) -%}
  {%- endfor -%}
  {%- if is_strict -%}
    {%- do ingest_run('insert into ' ~ ingest_table('__bad') ~ " select medal__file, _source_row, medal__record, 'does not fit: ' || array_to_string(json_keys(_rescued), ', '), json_keys(_rescued)[1] from " ~ landed ~ ' where _rescued is not null') -%}
    {%- do ingest_run('create or replace temporary table ' ~ landed ~ ' as select * exclude (medal__file, medal__record) from ' ~ landed ~ ' where _rescued is null') -%}
  {%- else -%}
    {%- do record_misfits(groups, shape) -%}
  {%- endif -%}
{%- endmacro %}

{% macro datafusion__landed_sql(settings, group, shape, landed, is_strict) -%}
  {%- set columns = {} -%}
  {%- for column in shape.columns -%}{%- do columns.update({column['name'] | lower: column}) -%}{%- endfor -%}
  {%- set values = {} -%}
  {%- set rescued = [] -%}
  {%- for field in group.fields -%}
    {%- set place = 'f' ~ loop.index0 -%}
    {%- set shown = place if group.form in ['json', 'ndjson'] else 'to_json(' ~ place ~ ')' -%}
    {%- set column = columns.get(field.name | lower) -%}
    {%- if column and column['name'] not in values -%}
      {%- set found = datafusion__landed_value(group, field, column, place) -%}
      {%- do values.update({column['name']: found.value}) -%}
      {%- if found.misfit -%}
        {%- do rescued.append(ledger_value(field.name) ~ ', case when ' ~ found.misfit ~ ' then ' ~ shown ~ ' end') -%}
      {%- endif -%}
    {%- else -%}
      {%- do rescued.append(ledger_value(field.name) ~ ', nullif(' ~ shown ~ ", 'null')") -%}
    {%- endif -%}
  {%- endfor -%}
  {%- set names = [] if settings['schema_mode'] == 'raw' else group.fields | map(attribute='name') | list -%}
  insert into {{ landed }} ({% for name in values %}{{ adapter.quote(name) }}, {% endfor %}
    _rescued, _source_file, _source_row, _checksum, _ingested_at, _ingest_date, _batch_id{{ ', medal__file, medal__record' if is_strict }})
  select {% for value in values.values() %}{{ value }},
    {% endfor -%}
    {{ 'medal_object(' ~ rescued | join(', ') ~ ')' if rescued else 'null' }},
    files.path, medal__number, files.sha256, {{ ledger_value(run_started_at | string) }}::timestamptz,
    ({{ ledger_value(run_started_at | string) }}::timestamptz at time zone 'UTC')::date, {{ ledger_value(invocation_id) }}
    {{- ', medal__file, medal__record' if is_strict }}
  from {{ datafusion__records(settings, group, names, whole=is_strict or settings['schema_mode'] == 'raw') }} as records
  join {{ ingest_table('__files') }} as files on files.file = records.medal__file
  where medal__reason is null
{%- endmacro %}

{% macro datafusion__forget_records() -%}{%- endmacro %}
