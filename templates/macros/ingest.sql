{# What an `ingest` model does with files, apart from reading them: which are new, what their columns are, and how all
   of it is written down. Helper tables are named after the model: `__files`, `__bad`, `__landed`. #}

{% macro ingest_table(suffix) -%}{{ return(make_temp_relation(this, suffix)) }}{%- endmacro %}

{# The names of the columns that medal adds, with their types. #}
{% macro ingest_metadata() -%}
  {{ return({
    '_rescued': 'json', '_source_file': 'varchar', '_source_row': 'bigint', '_checksum': 'varchar',
    '_ingested_at': 'timestamp with time zone', '_ingest_date': 'date', '_batch_id': 'varchar',
  }) }}
{%- endmacro %}

{# The ledger's rows of this model. A table that is gone is filled anew, so what was written down before it counts
   no more. #}
{% macro ingest_known(table, is_anew) -%}
  {%- set since = 'first_seen' if table == 'files' else 'recorded_at' -%}
  select * from {{ ledger_relation(table) }}
  where model = {{ ledger_value(model['unique_id']) }}
    and {{ 'false' if is_anew else since ~ " >= coalesce((
      select max(first_seen) from " ~ ledger_relation('files') ~ "
      where status = 'anew' and model = " ~ ledger_value(model['unique_id']) ~ "), timestamptz '1970-01-01 00:00:00+00')" }}
{%- endmacro %}

{% macro ingest_run(sql) -%}
  {%- call statement('ingest', auto_begin=false) -%}{{ sql }}{%- endcall -%}
{%- endmacro %}

{% macro ingest_rows(sql) -%}
  {%- call statement('ingest_rows', fetch_result=true, auto_begin=false) -%}{{ sql }}{%- endcall -%}
  {{ return(load_result('ingest_rows')['data']) }}
{%- endmacro %}

{# Reads every new file into `__landed`, and says what came of it. #}
{% macro land(settings, is_anew) -%}
  {%- do list_landed(settings, is_anew) -%}
  {%- do judge_landed(settings) -%}
  {%- do ingest_run('create or replace temporary table ' ~ ingest_table('__bad') ~ ' (file varchar, number bigint, raw varchar, message varchar, field varchar)') -%}
  {%- set groups = adapter.dispatch('read_landed', 'dbt')(settings) -%}
  {%- set shape = shape_landed(settings, groups, is_anew) -%}
  {%- do adapter.dispatch('fill_landed', 'dbt')(settings, groups, shape) -%}
  {%- do settle_landed(settings) -%}
  {%- set counts = ingest_rows(
    'select (select count(*) from ' ~ ingest_table('__landed') ~ '), (select count(*) from ' ~ ingest_table('__bad')
    ~ "), (select count(*) from " ~ ingest_table('__files') ~ " where state = 'bad')"
  )[0] -%}
  {{ return({'shape': shape, 'rows': counts[0], 'bad_records': counts[1], 'bad_files': counts[2], 'bad_rows': counts[1] + counts[2]}) }}
{%- endmacro %}

{# A list of objects, in JSON, as a query. #}
{% macro rows_of_json(json, columns) -%}
  select {% for name in columns %}one.{{ name }} as {{ name }}{{ ', ' if not loop.last }}{% endfor %}
  from (select unnest(from_json({{ ledger_value(json) }}, '[{{ tojson(columns) }}]')) as one)
{%- endmacro %}

{# Files that are not in the ledger as they are now. One that changed less than two seconds before it was ingested may
   have changed again within the same tick of the clock, so it is looked at once more. #}
{% macro list_landed(settings, is_anew) -%}
  {%- set listing = '[]' if flags.EMPTY else adapter.landed_files(settings['locations']) -%}
  {%- do ingest_run('create or replace temporary table ' ~ ingest_table('__listed') ~ ' as
    with listed as (' ~ rows_of_json(listing, {'path': 'VARCHAR', 'file': 'VARCHAR', 'size': 'BIGINT', 'modified': 'BIGINT'}) ~ '),
    known as (' ~ ingest_known('files', is_anew) ~ ')
    select * from listed
    where not exists (
      select 1 from known
      where known.path = listed.path and known.size = listed.size and known.modified = listed.modified
        and epoch_ns(known.first_seen) - known.modified > 2000000000
    )') -%}
  {%- set new = ingest_rows('select file from ' ~ ingest_table('__listed') ~ ' order by path') | map('first') | list -%}
  {%- set digests = adapter.file_digests(new, settings['csv'] if settings['format'] == 'csv' and settings['schema_mode'] != 'raw' else none) -%}
  {%- set columns = {'file': 'VARCHAR', 'sha256': 'VARCHAR', 'size': 'BIGINT', 'modified': 'BIGINT', 'error': 'VARCHAR', 'broken': 'VARCHAR', 'head': 'JSON'} -%}
  {%- do ingest_run('create or replace temporary table ' ~ ingest_table('__files') ~ ' as
    with digests as (' ~ rows_of_json(digests, columns) ~ '),
    known as (' ~ ingest_known('files', is_anew) ~ '),
    new as (
      select listed.path, listed.file, coalesce(digests.size, listed.size) as size,
        coalesce(digests.modified, listed.modified) as modified, digests.sha256, digests.head,
        digests.error is not null as is_unreadable, coalesce(digests.error, digests.broken) as reason
      from ' ~ ingest_table('__listed') ~ ' as listed join digests on digests.file = listed.file
    ),
    under_name as (
      select new.path, bool_or(known.sha256 = new.sha256) as is_known, bool_or(known.status = \'committed\') as is_committed
      from new join known on known.path = new.path group by new.path
    ),
    with_content as (
      select new.path, min(known.path) as first_path
      from new join known on known.sha256 = new.sha256
      where known.path <> new.path and known.status = \'committed\' group by new.path
    )
    select new.* exclude (is_unreadable), 0 as part, row_number() over (order by new.path) as number,
      coalesce(with_content.first_path, nullif(first_value(new.path) over (partition by new.sha256 order by new.path), new.path)) as duplicate_of,
      case
        when new.is_unreadable then \'unreadable\'
        when under_name.is_known then \'known\'
        when new.reason is not null then \'broken\'
        when under_name.is_committed then \'changed\'
        else \'new\'
      end as state
    from new
    left join under_name on under_name.path = new.path
    left join with_content on with_content.path = new.path') -%}
{%- endmacro %}

{# Decides what the settings leave to be decided: files that changed, that are there twice, that cannot be opened. #}
{% macro judge_landed(settings) -%}
  {%- set files = ingest_table('__files') -%}
  {%- set changed = ingest_rows("select path from " ~ files ~ " where state = 'changed' order by path") | map('first') | list -%}
  {%- if changed and settings['on_changed_file'] == 'fail' -%}
    {%- do exceptions.refuse(
      'changed-file', 'a file that `' ~ model.name ~ '` has ingested has other content now: ' ~ changed[:5] | join(', ') ~ (' and others' if changed | length > 5 else ''),
      'let corrections land under new names, or set `on_changed_file: append` to keep both'
    ) -%}
  {%- endif -%}
  {%- if settings['on_duplicate_content'] == 'skip' -%}
    {%- do ingest_run("update " ~ files ~ " set state = 'skipped' where state in ('new', 'changed') and duplicate_of is not null") -%}
  {%- endif -%}
  {%- for path, reason in ingest_rows("select path, reason from " ~ files ~ " where state = 'unreadable' order by path") -%}
    {%- do refuse_bad_file(settings, path, reason) -%}
    {%- do exceptions.warn('`' ~ model.name ~ '` could not read ' ~ path ~ ', and will try again: ' ~ reason) -%}
  {%- endfor -%}
  {%- for number, reason in ingest_rows("select number, reason from " ~ files ~ " where state = 'broken' order by path") -%}
    {%- do bad_files(settings, number, number, reason) -%}
  {%- endfor -%}
{%- endmacro %}

{# Sets files aside that cannot be read, for one reason. #}
{% macro bad_files(settings, low, high, complaint) -%}
  {%- set files = ingest_table('__files') -%}
  {%- set path, file = ingest_rows('select path, file from ' ~ files ~ ' where number = ' ~ low)[0] -%}
  {%- set reason = complaint.split('\n')[0].replace(file, path) | trim -%}
  {%- do refuse_bad_file(settings, path, reason) -%}
  {%- do ingest_run('update ' ~ files ~ " set state = 'bad', reason = " ~ ledger_value(reason)
    ~ " where state in ('new', 'changed', 'broken') and number between " ~ low ~ ' and ' ~ high) -%}
{%- endmacro %}

{% macro refuse_bad_file(settings, path, reason) -%}
  {%- if settings['on_bad_file'] == 'fail' -%}
    {%- do exceptions.refuse(
      'bad-file', '`' ~ model.name ~ '` cannot read ' ~ path ~ ': ' ~ reason,
      'repair the file, or leave `on_bad_file` at `quarantine` so that the others land'
    ) -%}
  {%- endif -%}
{%- endmacro %}

{# Numbers the forms of the files: CSV files of one header, Parquet files of one schema, and JSON as a whole. What is
   empty has no form, and part 0. The head of a CSV file is a list of names, of a Parquet file of names and types. #}
{% macro part_landed(settings) -%}
  {%- set files = ingest_table('__files') -%}
  {%- if settings['format'] == 'parquet' -%}{%- do adapter.dispatch('heads_landed', 'dbt')(settings) -%}{%- endif -%}
  {%- set form = 'head' if settings['format'] == 'parquet' or (settings['format'] == 'csv' and settings['schema_mode'] != 'raw') else "''" -%}
  {%- do ingest_run('create or replace temporary table ' ~ files ~ ' as
    with firsts as (
      select *, min(path) over (partition by ' ~ form ~ ') as first from ' ~ files ~ '
    ),
    parts as (
      select * exclude (part, first), case when size = 0 or ' ~ form ~ ' is null then 0 else dense_rank() over (order by first) end as part from firsts
    )
    select * replace (row_number() over (order by part, path) as number) from parts') -%}
{%- endmacro %}

{# Takes out what was written to while it was read: it is whole the next time. #}
{% macro settle_landed(settings) -%}
  {%- set files = ingest_table('__files') -%}
  {%- set read = ingest_rows("select file from " ~ files ~ " where state in ('new', 'changed', 'bad')") | map('first') | list -%}
  {%- set unsettled = ingest_rows('
    select files.path, files.file from ' ~ files ~ ' as files
    join (' ~ rows_of_json(adapter.file_stats(read), {'file': 'VARCHAR', 'size': 'BIGINT', 'modified': 'BIGINT'}) ~ ') as stats on stats.file = files.file
    where files.size is distinct from stats.size or files.modified is distinct from stats.modified
    order by files.path') -%}
  {%- for path, file in unsettled -%}
    {%- do exceptions.warn('`' ~ model.name ~ '` leaves ' ~ path ~ ' to the next run: it changed while it was read') -%}
    {%- do ingest_run('delete from ' ~ ingest_table('__landed') ~ ' where _source_file = ' ~ ledger_value(path)) -%}
    {%- do ingest_run('delete from ' ~ ingest_table('__bad') ~ ' where file = ' ~ ledger_value(file)) -%}
    {%- do ingest_run("update " ~ files ~ " set state = 'unsettled' where file = " ~ ledger_value(file)) -%}
  {%- endfor -%}
{%- endmacro %}

{% macro landed_fields(groups) -%}
  {%- set fields = [] -%}
  {%- for group in groups -%}{%- do fields.extend(group.fields) -%}{%- endfor -%}
  {{ return(fields) }}
{%- endmacro %}

{# The type of a column of texts: one in which every text can be written back as it stands, so that `007` stays a text.
   Nothing, if there are no texts. #}
{% macro guessed_type(column) -%}
  case
    when count({{ column }}) = 0 then null
    when bool_and(regexp_full_match({{ column }}, '-?(0|[1-9][0-9]{0,17})')) then 'BIGINT'
    when bool_and(length({{ column }}) < 17 and regexp_full_match({{ column }}, '-?(0|[1-9][0-9]*)([.][0-9]+)?')) then 'DOUBLE'
    when bool_and({{ column }} in ('true', 'false')) then 'BOOLEAN'
    when bool_and(regexp_full_match({{ column }}, '[0-9]{4}-[0-9]{2}-[0-9]{2}') and try_cast({{ column }} as date) is not null) then 'DATE'
    when bool_and(regexp_full_match({{ column }}, '[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.]+') and try_cast({{ column }} as timestamp) is not null) then 'TIMESTAMP'
    when bool_and(regexp_full_match({{ column }}, '[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.]+(Z|[+-][0-9]{2}(:?[0-9]{2})?)') and try_cast({{ column }} as timestamptz) is not null) then 'TIMESTAMP WITH TIME ZONE'
    else 'VARCHAR'
  end
{%- endmacro %}

{# Whether a text is a value of a type, and nothing of it is lost in the type. #}
{% macro fits_type(text, type) -%}
  {%- set upper = type | upper -%}
  {%- if upper in ['TINYINT', 'SMALLINT', 'INTEGER', 'INT', 'BIGINT', 'HUGEINT', 'UTINYINT', 'USMALLINT', 'UINTEGER', 'UBIGINT', 'UHUGEINT'] -%}
    (try_cast({{ text }} as {{ type }}) is not null and regexp_full_match({{ text }}, '\s*[+-]?[0-9]+([.]0*)?\s*'))
  {%- elif upper.startswith('DECIMAL') or upper.startswith('NUMERIC') -%}
    {%- set scale = (upper.split(',')[1].split(')')[0] | trim | int) if ',' in upper else (0 if '(' in upper else 3) -%}
    (try_cast({{ text }} as {{ type }}) is not null and regexp_full_match({{ text }}, '\s*[+-]?[0-9]*([.][0-9]{0,{{ scale }}}0*)?\s*'))
  {%- elif upper == 'DATE' -%}
    (try_cast({{ text }} as date) is not null and try_cast({{ text }} as date)::timestamp = try_cast({{ text }} as timestamp))
  {%- elif upper == 'TIMESTAMP' -%}
    (try_cast({{ text }} as timestamp) is not null and not regexp_matches({{ text }}, '[0-9:][+-][0-9]{2}(:?[0-9]{2})?\s*$') )
  {%- else -%}
    (try_cast({{ text }} as {{ type }}) is not null)
  {%- endif -%}
{%- endmacro %}

{% macro landed_columns(shape) -%}
  {%- for column in shape.columns %}{{ adapter.quote(column['name']) }} {{ column['data_type'] }}, {% endfor -%}
  {%- for name, type in ingest_metadata().items() %}{{ name }} {{ type }}{{ ', ' if not loop.last }}{% endfor -%}
{%- endmacro %}

{# The fields of the records of one form, each with the type that all of its values have. #}
{% macro fields_landed(settings, group) -%}
  {%- set fields = [] -%}
  {%- if settings['schema_mode'] == 'raw' -%}
    {%- do fields.append({'name': '_raw', 'data_type': 'VARCHAR', 'is_typed': true}) -%}
  {%- elif group.form == 'parquet' -%}
    {%- for name, type in group.names -%}
      {%- do fields.append({'name': name, 'data_type': type, 'is_typed': true}) -%}
    {%- endfor -%}
  {%- elif group.form == 'csv' -%}
    {%- set guessed = ingest_rows(adapter.dispatch('guesses_landed', 'dbt')(settings, group))[0] -%}
    {%- for name in group.names -%}{%- do fields.append({'name': name, 'data_type': guessed[loop.index0], 'is_typed': false}) -%}{%- endfor -%}
  {%- else -%}
    {%- for key, found in adapter.dispatch('json_types_landed', 'dbt')(settings, group).items() -%}
      {%- set types = [] -%}
      {%- for type in found if type != 'NULL' -%}{%- do types.append(type.replace('UBIGINT', 'BIGINT')) -%}{%- endfor -%}
      {%- do fields.append({'name': key, 'data_type': json_field_type(types | unique | list), 'is_typed': false}) -%}
    {%- endfor -%}
  {%- endif -%}
  {{ return(fields) }}
{%- endmacro %}

{# The type of a field of JSON that has values of these types. #}
{% macro json_field_type(types) -%}
  {{ return(none if not types else types[0] if types | length == 1 and types[0] not in ['OBJECT', 'ARRAY'] else 'DOUBLE' if types | sort == ['BIGINT', 'DOUBLE'] else 'JSON') }}
{%- endmacro %}

{# That values of a column did not fit, and of which type they were. #}
{% macro record_misfits(groups, shape) -%}
  {%- set fields = {} -%}
  {%- for field in landed_fields(groups) if field.data_type -%}{%- do fields.update({field.name: field.data_type}) -%}{%- endfor -%}
  {%- set misfits = ingest_rows('select key from (select distinct unnest(json_keys(_rescued)) as key from ' ~ ingest_table('__landed') ~ ' where _rescued is not null) order by key') | map('first') | list -%}
  {%- for column in shape.columns if column['name'] in misfits -%}
    {%- do shape.changes.append({'column': column['name'], 'old': column['data_type'], 'new': fields[column['name']], 'class': 'breaking'}) -%}
  {%- endfor -%}
{%- endmacro %}

{# The columns that the records of this run are put into: those that are known, then those that are new. #}
{% macro shape_landed(settings, groups, is_anew) -%}
  {%- set last = ingest_rows('select version, columns_json, changes_json from (' ~ ingest_known('schema_versions', is_anew) ~ ') order by version desc, recorded_at desc limit 1') -%}
  {%- set names = {} -%}
  {%- set columns = [] -%}
  {%- set changes = [] -%}
  {%- set known = fromjson(last[0][1]) if last else [] -%}
  {%- set declared = settings['declared'] if settings['schema_mode'] != 'raw' else [] -%}
  {%- for column in known + declared -%}
    {%- if column['name'] | lower not in names -%}
      {%- do names.update({column['name'] | lower: columns | length}) -%}
      {%- do columns.append({'name': column['name'], 'data_type': column['data_type']}) -%}
      {%- if last and loop.index > known | length -%}{%- do changes.append({'column': column['name'], 'old': none, 'new': column['data_type'], 'class': 'compatible'}) -%}{%- endif -%}
    {%- endif -%}
  {%- endfor -%}
  {%- set policy = settings['on_schema_change'] -%}
  {%- set seen = {} -%}
  {%- for field in landed_fields(groups) -%}
    {%- do seen.update({field.name | lower: true}) -%}
    {%- set is_open = settings['schema_mode'] != 'strict' and (not last or policy not in ['ignore', 'fail']) -%}
    {%- if field.name | lower in names -%}
      {%- set column = columns[names[field.name | lower]] -%}
      {%- if field.data_type and field.is_typed and column['data_type'] != field.data_type and widens(column['data_type'], field.data_type) -%}
        {%- do changes.append({'column': column['name'], 'old': column['data_type'], 'new': field.data_type, 'class': 'compatible'}) -%}
        {%- do column.update({'data_type': field.data_type}) -%}
      {%- elif column.get('is_new') and field.data_type and column['data_type'] != field.data_type -%}
        {%- set both = [column['data_type'] or '', field.data_type] | sort | join(' ') -%}
        {%- do column.update({'data_type': field.data_type if not column['data_type'] else 'DOUBLE' if both == 'BIGINT DOUBLE' else 'VARCHAR'}) -%}
      {%- endif -%}
    {%- elif field.name | lower not in ingest_metadata() -%}
      {%- if is_open -%}
        {%- do names.update({field.name | lower: columns | length}) -%}
        {%- do columns.append({'name': field.name, 'data_type': field.data_type, 'is_new': true}) -%}
      {%- elif policy == 'fail' and settings['schema_mode'] != 'strict' -%}
        {%- do exceptions.refuse(
          'schema-drift', '`' ~ model.name ~ '` receives a column `' ~ field.name ~ '` that it does not have',
          'set `on_schema_change` to append_new_columns to add it, or to ignore to keep its values in `_rescued`'
        ) -%}
      {%- endif -%}
    {%- endif -%}
  {%- endfor -%}
  {%- for column in columns if column.pop('is_new', false) -%}
    {%- if not column['data_type'] -%}{%- do column.update({'data_type': 'VARCHAR'}) -%}{%- endif -%}
    {%- if last -%}{%- do changes.append({'column': column['name'], 'old': none, 'new': column['data_type'], 'class': 'compatible'}) -%}{%- endif -%}
  {%- endfor -%}
  {%- for column in known if groups and column['name'] | lower not in seen -%}
    {%- do changes.append({'column': column['name'], 'old': column['data_type'], 'new': none, 'class': 'breaking'}) -%}
  {%- endfor -%}
  {{ return({'columns': columns, 'changes': changes, 'last': last[0] if last else none}) }}
{%- endmacro %}

{# Runs the model's query over what has landed, and adds its rows. #}
{% macro append_landed(existing_relation, target_relation, landed) -%}
  {%- set query = render(model['raw_code']) | trim -%}
  {%- set columns = adapter.get_column_schema_from_query(query) -%}
  {%- set names = columns | map(attribute='name') | list -%}
  {%- set missing = ingest_metadata() | list | reject('in', names) | list -%}
  {%- set kept = ingest_rows('select count(*) from (' ~ query ~ ')')[0][0] -%}
  {%- if missing or kept != landed.rows -%}
    {%- do exceptions.refuse(
      'ingest-shape',
      'the query of `' ~ model.name ~ '` ' ~ ('leaves out ' ~ missing | join(', ') if missing else 'makes ' ~ kept ~ ' rows of the ' ~ landed.rows ~ ' that have landed'),
      'select * here, and choose in a model that reads this one'
    ) -%}
  {%- endif -%}
  {%- if existing_relation is none -%}
    {%- call statement('main') -%}{{ get_create_table_as_sql(false, target_relation, query) }}{%- endcall -%}
  {%- else -%}
    {%- do fit_target(target_relation, columns) -%}
    {%- if not landed.rows -%}{%- call noop_statement('main', 'OK') -%}{%- endcall -%}{{ return('') }}{%- endif -%}
    {%- call statement('main') -%}{{ get_insert_into_sql(target_relation, '(' ~ query ~ ') as landed', columns) }}{%- endcall -%}
  {%- endif -%}
{%- endmacro %}

{# Adds the columns that a table lacks, and widens those that are too narrow. What could lose a value is refused. #}
{% macro fit_target(target_relation, columns) -%}
  {%- set known = {} -%}
  {%- for column in adapter.get_columns_in_relation(target_relation) -%}{%- do known.update({column.name | lower: column.data_type}) -%}{%- endfor -%}
  {%- for column in columns -%}
    {%- set type = known.get(column.name | lower) -%}
    {%- if type is none -%}
      {%- call statement('fit_target') -%}alter table {{ target_relation }} add column {{ column.quoted }} {{ column.data_type }}{%- endcall -%}
    {%- elif type != column.data_type and widens(type, column.data_type) -%}
      {%- call statement('fit_target') -%}alter table {{ target_relation }} alter column {{ column.quoted }} type {{ column.data_type }}{%- endcall -%}
    {%- elif type != column.data_type and not widens(column.data_type, type) -%}
      {%- do exceptions.refuse(
        'lossy-type', 'the query of `' ~ model.name ~ '` gives `' ~ column.name ~ '` as ' ~ column.data_type ~ ', and the table has it as ' ~ type,
        'cast it to ' ~ type ~ ' in the query'
      ) -%}
    {%- endif -%}
  {%- endfor -%}
{%- endmacro %}

{# Records and files that could not be read, with the reader's reason and what was there. #}
{% macro quarantine_landed(target_relation, landed) -%}
  {%- set said = [] -%}
  {%- if landed.bad_records -%}{%- do said.append(landed.bad_records ~ (' record' if landed.bad_records == 1 else ' records')) -%}{%- endif -%}
  {%- if landed.bad_files -%}{%- do said.append(landed.bad_files ~ (' file' if landed.bad_files == 1 else ' files')) -%}{%- endif -%}
  {%- do exceptions.warn('`' ~ model.name ~ '` has put ' ~ said | join(' and ') ~ ' into quarantine') -%}
  {{ return(add_to_quarantine(target_relation, "
    select bad.raw as _raw, bad.number as _source_row, files.path as _source_file, files.sha256 as _checksum,
      [" ~ quarantine_reason("'bad-record'", column='bad.field', message='bad.message') ~ "] as _reasons
    from " ~ ingest_table('__bad') ~ " as bad join " ~ ingest_table('__files') ~ " as files using (file)
    union all
    select null, null, path, sha256, [" ~ quarantine_reason("'bad-file'", message='reason') ~ "]
    from " ~ ingest_table('__files') ~ " where state = 'bad'")) }}
{%- endmacro %}

{# The files, the columns and the numbers of this run. #}
{% macro record_landed(settings, landed, is_anew) -%}
  {%- set files = ingest_table('__files') -%}
  {%- if is_anew -%}{%- do add_to_ledger('files', {'status': 'anew'}) -%}{%- endif -%}
  {%- call statement('record_files') -%}
    insert into {{ ledger_relation('files') }} (
      run_id, batch_id, model, path, size, modified, sha256, rows, bad_rows, status, duplicate_of, first_seen
    )
    select {{ ledger_value(invocation_id) }}, {{ ledger_value(invocation_id) }}, {{ ledger_value(model['unique_id']) }},
      files.path, files.size, files.modified, files.sha256, coalesce(good.rows, 0), coalesce(bad.rows, 0),
      case state when 'bad' then 'bad' when 'skipped' then 'skipped' else 'committed' end, files.duplicate_of, now()
    from {{ files }} as files
    left join (select _source_file as path, count(*) as rows from {{ ingest_table('__landed') }} group by all) as good using (path)
    left join (select file, count(*) as rows from {{ ingest_table('__bad') }} group by all) as bad using (file)
    where state in ('new', 'changed', 'bad', 'skipped')
  {%- endcall -%}
  {%- do record_shape(landed.shape) -%}
  {%- do record_in_ledger({
    'mode': 'full' if is_anew else 'incremental', 'rows_in': landed.rows + landed.bad_records,
    'rows_out': landed.rows, 'rows_quarantined': landed.bad_records, 'rows_filtered': 0,
  }) -%}
{%- endmacro %}

{# A version of the columns that have landed, if they, or how records differ from them, are not what they were. #}
{% macro record_shape(shape) -%}
  {%- set last = shape.last -%}
  {%- set columns = tojson(shape.columns) -%}
  {%- set changes = tojson(shape.changes) -%}
  {%- set is_same = last and columns == last[1] -%}
  {%- if shape.columns and not (is_same and (not shape.changes or changes == last[2])) -%}
    {%- set classes = shape.changes | map(attribute='class') | list -%}
    {%- do add_to_ledger('schema_versions', {
      'version': (last[0] if is_same else last[0] + 1) if last else 1, 'hash': local_md5(columns), 'columns_json': columns,
      'first_run': invocation_id, 'changes_json': changes,
      'class': 'initial' if not last else 'breaking' if 'breaking' in classes else 'compatible',
    }) -%}
    {%- for change in shape.changes if change['class'] == 'breaking' -%}
      {%- do exceptions.warn('the files of `' ~ model.name ~ '` have changed: `' ~ change['column'] ~ '` was ' ~ change['old']
        ~ (' and is gone' if change['new'] is none else ' and has values of ' ~ change['new'] ~ ', which are in `_rescued`')) -%}
    {%- endfor -%}
  {%- endif -%}
{%- endmacro %}

{% macro forget_landed() -%}
  {%- for suffix in ['__listed', '__files', '__bad', '__landed'] -%}
    {%- do ingest_run('drop table if exists ' ~ ingest_table(suffix)) -%}
  {%- endfor -%}
  {%- do adapter.dispatch('forget_records', 'dbt')() -%}
{%- endmacro %}
