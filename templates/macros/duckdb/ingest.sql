{# How DuckDB reads landed files: all files of one form in one statement; one that is refused is halved until the file
   that is to blame is alone. Records wait in `__records_N`, one table for each form. #}

{% macro duckdb__read_landed(settings) -%}
  {%- do part_landed(settings) -%}
  {%- set groups = [] -%}
  {%- set parts = ingest_rows(
    'select part, min(number), max(number), any_value(head) from ' ~ ingest_table('__files')
    ~ " where state in ('new', 'changed') and part > 0 group by part order by part") -%}
  {%- for part, low, high, head in parts -%}
    {%- set records = ingest_table('__records_' ~ part) -%}
    {%- set form = 'lines' if settings['schema_mode'] == 'raw' and settings['format'] in ['csv', 'ndjson'] else settings['format'] -%}
    {%- set fields = fromjson(head) if head else [] -%}
    {%- if form == 'csv' and fields | map('lower') | unique | list | length != fields | length -%}
      {%- do bad_files(settings, low, high, 'two columns have one name: ' ~ fields | join(', ')) -%}
    {%- else -%}
      {%- set reader = {'csv': duckdb__csv_reader, 'json': duckdb__json_reader, 'ndjson': duckdb__json_reader, 'parquet': duckdb__parquet_reader, 'lines': duckdb__line_reader}[form](settings, fields) -%}
      {%- do ingest_run('create or replace temporary table ' ~ records ~ ' (' ~ duckdb__record_columns(form, fields) ~ ', medal__file varchar, medal__number bigint)') -%}
      {%- do duckdb__read_files(settings, part, low, high, records, reader) -%}
      {%- set found = {'part': part, 'table': records, 'form': form, 'names': fields} -%}
      {%- if form == 'csv' -%}{%- do duckdb__csv_rejects(found) -%}{%- elif form in ['json', 'ndjson'] -%}{%- do duckdb__json_rejects(settings, found) -%}{%- endif -%}
      {%- do found.update({'fields': fields_landed(settings, found)}) -%}
      {%- do groups.append(found) -%}
    {%- endif -%}
  {%- endfor -%}
  {{ return(groups) }}
{%- endmacro %}

{# The heads of Parquet files: names and types. #}
{% macro duckdb__heads_landed(settings) -%}
  {%- set files = ingest_table('__files') -%}
  {%- for file, number in ingest_rows("select file, number from " ~ files ~ " where state in ('new', 'changed')") -%}
    {%- set complaint = adapter.attempt('create or replace temporary table ' ~ ingest_table('__listed')
      ~ " as (select to_json(list([column_name, column_type])) as head from (describe select * from read_parquet(" ~ ledger_value(file) ~ ')))') -%}
    {%- if complaint is none -%}
      {%- do ingest_run('update ' ~ files ~ ' set head = (select head from ' ~ ingest_table('__listed') ~ ') where number = ' ~ number) -%}
    {%- else -%}
      {%- do bad_files(settings, number, number, complaint) -%}
    {%- endif -%}
  {%- endfor -%}
{%- endmacro %}

{% macro duckdb__read_files(settings, part, low, high, records, reader) -%}
  {%- do ingest_run('set variable medal_files = (select list(file order by number) from ' ~ ingest_table('__files')
    ~ " where state in ('new', 'changed') and part = " ~ part ~ ' and number between ' ~ low ~ ' and ' ~ high ~ ')') -%}
  {%- set complaint = adapter.attempt('insert into ' ~ records ~ ' ' ~ reader) -%}
  {%- if complaint is not none and low == high -%}
    {%- do bad_files(settings, low, high, complaint) -%}
  {%- elif complaint is not none -%}
    {%- set middle = (low + high) // 2 -%}
    {%- do duckdb__read_files(settings, part, low, middle, records, reader) -%}
    {%- do duckdb__read_files(settings, part, middle + 1, high, records, reader) -%}
  {%- endif -%}
{%- endmacro %}

{% macro duckdb__record_columns(form, fields) -%}
  {%- if form == 'csv' -%}
    {%- for name in fields %}{{ adapter.quote(name) }} varchar{{ ', ' if not loop.last }}{% endfor -%}
  {%- elif form == 'parquet' -%}
    {%- for name, type in fields -%}
      {{ adapter.quote(name) }} {{ type }}{{ ', ' if not loop.last }}
    {%- endfor -%}
  {%- elif form == 'lines' -%}record varchar
  {%- else -%}record json
  {%- endif -%}
{%- endmacro %}

{% macro duckdb__csv_reader(settings, fields) -%}
  {%- set csv = settings['csv'] -%}
  select *, row_number() over () from read_csv(
    getvariable('medal_files'), auto_detect=false, header=true, filename='medal__file',
    columns={ {%- for name in fields %}{{ ledger_value(name) }}: 'VARCHAR'{{ ', ' if not loop.last }}{% endfor -%} },
    delim={{ ledger_value(csv['delim']) }}, quote={{ ledger_value(csv['quote']) }}, escape={{ ledger_value(csv['escape']) }},
    nullstr={{ ledger_value(csv['nullstr']) }}, allow_quoted_nulls=false, null_padding=false,
    store_rejects=true, rejects_table='medal__rejects', rejects_scan='medal__scans')
{%- endmacro %}

{# Each line is a record, whatever is in it. #}
{% macro duckdb__line_reader(settings, fields) -%}
  select *, row_number() over () from read_csv(
    getvariable('medal_files'), auto_detect=false, header=false, filename='medal__file', columns={'record': 'VARCHAR'},
    delim=chr(1), quote='', escape='', nullstr=chr(2))
{%- endmacro %}

{% macro duckdb__json_reader(settings, fields) -%}
  select json, filename, row_number() over () from read_json_objects(
    getvariable('medal_files'), filename=true, ignore_errors=true,
    format={{ "'newline_delimited'" if settings['format'] == 'ndjson' else "'auto'" }})
{%- endmacro %}

{% macro duckdb__parquet_reader(settings, fields) -%}
  select * exclude (file_row_number), file_row_number from read_parquet(
    getvariable('medal_files'), filename='medal__file', file_row_number=true)
{%- endmacro %}

{# Moves what the CSV reader refused to `__bad`. It counts records from the header on. #}
{% macro duckdb__csv_rejects(group) -%}
  {%- if not ingest_rows("select 1 from duckdb_tables() where temporary and table_name = 'medal__rejects'") -%}{{ return('') }}{%- endif -%}
  {%- do ingest_run('insert into ' ~ ingest_table('__bad') ~ "
    select file_path, line - 1, any_value(csv_line), string_agg(distinct error_message, '; '), any_value(column_name)
    from medal__rejects join medal__scans using (scan_id, file_id)
    group by all") -%}
  {%- do ingest_run('drop table medal__rejects; drop table medal__scans') -%}
{%- endmacro %}

{# Lines that are no JSON came as nulls: they are read again as text. What is JSON and no object is no record. #}
{% macro duckdb__json_rejects(settings, group) -%}
  {%- set bad = ingest_table('__bad') -%}
  {%- set first = '(select medal__file, min(medal__number) as first from ' ~ group.table ~ ' group by all)' -%}
  {%- do ingest_run("set variable medal_files = (select list(distinct medal__file) from " ~ group.table ~ " where record is null)") -%}
  {%- if ingest_rows("select 1 where getvariable('medal_files') is not null") -%}
    {%- do ingest_run('create or replace temporary table ' ~ ingest_table('__rejects') ~ ' as
      with lines as (select * from (' ~ duckdb__line_reader(none, none) ~ ") as l(line, file, place) where trim(line, ' \t\r') <> ''),
      numbered as (select *, row_number() over (partition by file order by place) as number from lines),
      refused as (select medal__file as file, medal__number - first + 1 as number from " ~ group.table ~ " join " ~ first ~ " using (medal__file) where record is null)
      select file, number, line as raw, 'malformed JSON' as message from refused left join numbered using (file, number)") -%}
    {%- for raw in ingest_rows('select distinct raw from ' ~ ingest_table('__rejects') ~ ' where raw is not null limit 1000') | map('first') -%}
      {%- set complaint = adapter.attempt('select cast(' ~ ledger_value(raw) ~ ' as json)') -%}
      {%- if complaint is not none -%}
        {%- do ingest_run('update ' ~ ingest_table('__rejects') ~ ' set message = ' ~ ledger_value(complaint.split('  Input')[0].replace('Conversion Error: ', '') | trim) ~ ' where raw = ' ~ ledger_value(raw)) -%}
      {%- endif -%}
    {%- endfor -%}
    {%- do ingest_run('insert into ' ~ bad ~ ' select file, number, raw, message, null from ' ~ ingest_table('__rejects')) -%}
  {%- endif -%}
  {%- if settings['schema_mode'] == 'raw' -%}{{ return('') }}{%- endif -%}
  {%- do ingest_run('insert into ' ~ bad ~ " select medal__file, medal__number - first + 1, cast(record as varchar), 'the record is no object', null from "
    ~ group.table ~ ' join ' ~ first ~ " using (medal__file) where json_type(record) <> 'OBJECT'") -%}
{%- endmacro %}

{# A query for the types of the columns of a CSV file. #}
{% macro duckdb__guesses_landed(settings, group) -%}
  select {% for name in group.names %}{{ guessed_type(adapter.quote(name)) }}{{ ', ' if not loop.last }}{% endfor %} from {{ group.table }}
{%- endmacro %}

{# The names in the objects of JSON, each with the types of its values, and NULL. #}
{% macro duckdb__json_types_landed(settings, group) -%}
  {%- set found -%}
    select json.key, list_sort(list(distinct json.type)) as types
    from {{ group.table }}, json_each(record) as json
    where json_type(record) = 'OBJECT'
    group by json.key
    order by min({'number': medal__number, 'place': json.id})
  {%- endset -%}
  {%- set types = {} -%}
  {%- for key, all in ingest_rows("select key, array_to_string(types, ' ') from (" ~ found ~ ')') -%}{%- do types.update({key: all.split()}) -%}{%- endfor -%}
  {{ return(types) }}
{%- endmacro %}

{# A field as JSON has it, and as a text. #}
{% macro duckdb__json_path(name) -%}{{ ledger_value('/' ~ name | replace('~', '~0') | replace('/', '~1')) }}{%- endmacro %}

{% macro duckdb__landed_value(group, field, column) -%}
  {%- set type = column['data_type'] -%}
  {%- if field.name == '_raw' -%}
    {%- set members = [] -%}
    {%- if group.form == 'parquet' -%}
      {%- for name, _ in group.names -%}{%- do members.append(ledger_value(name) ~ ': records.' ~ adapter.quote(name)) -%}{%- endfor -%}
    {%- endif -%}
    {%- set row = 'to_json({' ~ members | join(', ') ~ '})' -%}
    {{ return({'value': (row if group.form == 'parquet' else 'record') ~ '::varchar', 'misfit': none}) }}
  {%- elif group.form == 'parquet' -%}
    {%- set value = 'records.' ~ adapter.quote(field.name) -%}
    {%- if type == field.data_type or widens(field.data_type, type) -%}{{ return({'value': value ~ '::' ~ type, 'misfit': none}) }}{%- endif -%}
    {%- set cast = 'try_cast(' ~ value ~ ' as ' ~ type ~ ')' -%}
    {%- set fits = '(' ~ cast ~ ' is not null and try_cast(' ~ cast ~ ' as ' ~ field.data_type ~ ') is not distinct from ' ~ value ~ ')' -%}
    {{ return({'value': 'case when ' ~ fits ~ ' then ' ~ cast ~ ' end', 'misfit': value ~ ' is not null and not ' ~ fits, 'shown': 'to_json(' ~ value ~ ')'}) }}
  {%- endif -%}
  {%- set is_json = group.form != 'csv' -%}
  {%- set shown = 'record -> ' ~ duckdb__json_path(field.name) if is_json else 'to_json(' ~ adapter.quote(field.name) ~ ')' -%}
  {%- set text = '(record ->> ' ~ duckdb__json_path(field.name) ~ ')' if is_json else 'records.' ~ adapter.quote(field.name) -%}
  {%- if type | upper == 'JSON' and is_json -%}
    {{ return({'value': "nullif(" ~ shown ~ ", 'null'::json)", 'misfit': none}) }}
  {%- elif type | upper in ['VARCHAR', 'TEXT', 'STRING'] -%}
    {{ return({'value': text, 'misfit': none}) }}
  {%- endif -%}
  {%- set fits = fits_type(text, type) -%}
  {{ return({'value': 'case when ' ~ fits ~ ' then try_cast(' ~ text ~ ' as ' ~ type ~ ') end', 'misfit': text ~ ' is not null and not ' ~ fits, 'shown': shown}) }}
{%- endmacro %}

{# Puts the records into columns; the fields that do not fit into theirs, or have none, into `_rescued`. #}
{% macro duckdb__fill_landed(settings, groups, shape) -%}
  {%- set landed = ingest_table('__landed') -%}
  {%- set bad = ingest_table('__bad') -%}
  {%- do ingest_run('create or replace temporary table ' ~ landed ~ ' (' ~ landed_columns(shape) ~ ', medal__file varchar, medal__record varchar)') -%}
  {%- for group in groups -%}
    {%- do ingest_run(duckdb__landed_sql(settings, group, shape, landed)) -%}
    {%- do ingest_run('drop table ' ~ group.table) -%}
  {%- endfor -%}
  {%- if settings['schema_mode'] == 'strict' -%}
    {%- do ingest_run('insert into ' ~ bad ~ " select medal__file, _source_row, medal__record, 'does not fit: ' || array_to_string(json_keys(_rescued), ', '), json_keys(_rescued)[1] from " ~ landed ~ ' where _rescued is not null') -%}
    {%- do ingest_run('delete from ' ~ landed ~ ' where _rescued is not null') -%}
  {%- else -%}
    {%- do record_misfits(groups, shape) -%}
  {%- endif -%}
  {%- do ingest_run('alter table ' ~ landed ~ ' drop column medal__file; alter table ' ~ landed ~ ' drop column medal__record') -%}
{%- endmacro %}

{% macro duckdb__landed_sql(settings, group, shape, landed) -%}
  {%- set columns = {} -%}
  {%- for column in shape.columns -%}{%- do columns.update({column['name'] | lower: column}) -%}{%- endfor -%}
  {%- set values = {} -%}
  {%- set rescued = [] -%}
  {%- for field in group.fields -%}
    {%- set column = columns.get(field.name | lower) -%}
    {%- if column and column['name'] not in values -%}
      {%- set found = duckdb__landed_value(group, field, column) -%}
      {%- do values.update({column['name']: found.value}) -%}
      {%- if found.misfit -%}
        {%- do rescued.append('case when ' ~ found.misfit ~ " then {'k': " ~ ledger_value(field.name) ~ ", 'v': " ~ found.shown ~ '} end') -%}
      {%- endif -%}
    {%- else -%}
      {%- set shown = 'record -> ' ~ duckdb__json_path(field.name) if group.form in ['json', 'ndjson'] else 'to_json(records.' ~ adapter.quote(field.name) ~ ')' -%}
      {%- do rescued.append("case when nullif(" ~ shown ~ ", 'null'::json) is not null then {'k': " ~ ledger_value(field.name) ~ ", 'v': " ~ shown ~ '} end') -%}
    {%- endif -%}
  {%- endfor -%}
  insert into {{ landed }} ({% for name in values %}{{ adapter.quote(name) }}, {% endfor %}
    _rescued, _source_file, _source_row, _checksum, _ingested_at, _ingest_date, _batch_id, medal__file, medal__record)
  with ordinals as (
    select *, row_number() over (partition by medal__file order by medal__number) as medal__ordinal from {{ group.table }}
  ),
  {#- The n-th good record of a CSV file has the n-th number that no refused one has. -#}
  totals as (
    select file, refused + (select count(*) from ordinals where medal__file = file) as total
    from (select file, count(*) as refused from {{ ingest_table('__bad') }} group by file)
    where {{ 'true' if group.form == 'csv' else 'false' }}
  ),
  places as (
    select file as medal__file, number as medal__row, row_number() over (partition by file order by number) as medal__ordinal
    from (select file, unnest(range(1, total + 1)) as number from totals)
    where (file, number) not in (select (file, number) from {{ ingest_table('__bad') }})
  ),
  records as (select * from ordinals left join places using (medal__file, medal__ordinal))
  select {% for value in values.values() %}{{ value }},
    {% endfor -%}
    {% if rescued -%}
    case when len(medal__misfits) > 0 then to_json(map_from_entries(medal__misfits)) end
    {%- else %}null{% endif %},
    files.path, coalesce(medal__row, medal__ordinal), files.sha256, {{ ledger_value(run_started_at | string) }}::timestamptz,
    ({{ ledger_value(run_started_at | string) }}::timestamptz at time zone 'UTC')::date, {{ ledger_value(invocation_id) }}, medal__file,
    {% if settings['schema_mode'] != 'strict' %}null{% elif group.form in ['json', 'ndjson'] %}record
    {%- else %}to_json({ {%- for name in group.fields | map(attribute='name') %}{{ ledger_value(name) }}: {{ adapter.quote(name) }}{{ ', ' if not loop.last }}{% endfor -%} })
    {%- endif %}
  from (select *{% if rescued %}, list_filter([{{ rescued | join(', ') }}], x -> x is not null) as medal__misfits{% endif %} from records) as records
  join {{ ingest_table('__files') }} as files on files.file = medal__file
  {%- if group.form in ['json', 'ndjson'] and settings['schema_mode'] != 'raw' %} where json_type(record) = 'OBJECT'
  {%- elif group.form in ['json', 'ndjson'] %} where record is not null
  {%- endif %}
  order by files.number, medal__number
{%- endmacro %}

{% macro duckdb__forget_records() -%}
  {%- do ingest_run('drop table if exists ' ~ ingest_table('__rejects')) -%}
{%- endmacro %}
