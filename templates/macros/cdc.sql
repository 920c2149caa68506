{# Change data capture. An event of a key has a rank: its sequence, then whether it deletes, then the hash of its columns.
   The state of a key is its event of the highest rank, unless that deletes, or a later truncation does. Deletes stay
   in `<model>__tombstones`, so that what comes late cannot bring a key back. #}

{% macro cdc_tombstones(relation) -%}
  {{ return(relation.incorporate(path={'identifier': relation.identifier ~ '__tombstones'}, type='table')) }}
{%- endmacro %}

{% macro cdc_table(suffix) -%}{{ return(make_temp_relation(this, suffix)) }}{%- endmacro %}

{# What a run has put aside takes room until it is dropped. #}
{% macro drop_cdc_tables(settings) -%}
  {%- for suffix in ['__events', '__held', '__win'] + (['__touched'] if settings['scd'] == 2 else []) -%}
    {%- do cdc_run('drop table ' ~ cdc_table(suffix)) -%}
  {%- endfor -%}
{%- endmacro %}

{% macro cdc_run(sql, name='cdc') -%}
  {%- call statement(name) -%}{{ sql }}{%- endcall -%}
{%- endmacro %}

{% macro cdc_value(sql, whole=false) -%}
  {%- call statement('cdc_value', fetch_result=true) -%}{{ sql }}{%- endcall -%}
  {%- set row = load_result('cdc_value')['data'][0] -%}
  {{ return(row if whole else row[0]) }}
{%- endmacro %}

{# Columns as SQL: `a, b`; with a table, `t.a, t.b`. #}
{% macro cdc_columns(names, table=none) -%}
  {%- for name in names %}{{ table ~ '.' if table }}{{ adapter.quote(name) }}{{ ', ' if not loop.last }}{% endfor -%}
{%- endmacro %}

{% macro cdc_same_key(settings, one, other) -%}
  {%- for name in settings['unique_key'] %}{{ one }}.{{ adapter.quote(name) }} = {{ other }}.{{ adapter.quote(name) }}{{ ' and ' if not loop.last }}{% endfor -%}
{%- endmacro %}

{# Several columns are one value whose parts count in their order. #}
{% macro cdc_sequence(settings) -%}
  {%- if settings['sequence_by'] | length == 1 -%}{{ adapter.quote(settings['sequence_by'][0]) }}
  {%- else -%}{ {%- for name in settings['sequence_by'] %}{{ ledger_value(name) }}: {{ adapter.quote(name) }}{{ ', ' if not loop.last }}{% endfor -%} }
  {%- endif -%}
{%- endmacro %}

{# The batches of the input that are in the table already, of which no row is read again. #}
{% macro cdc_applied() -%}
  select unnest(from_json(source_versions_json, '["VARCHAR"]')) from {{ ledger_relation('watermarks') }} as applied
  where model = {{ ledger_value(model['unique_id']) }} and recorded_at >= (
    select max(recorded_at) from {{ ledger_relation('watermarks') }}
    where mode = 'full' and model = {{ ledger_value(model['unique_id']) }})
{%- endmacro %}

{# The condition for rows of batches that are not in the table yet. Where the query only chooses rows of one relation,
   these batches are looked up first, so that the engine reads nothing else of the rows of all others. #}
{% macro cdc_unread(query, columns) -%}
  {%- set unread = '_batch_id is null or _batch_id not in (' ~ cdc_applied() ~ ')' -%}
  {%- set is_plain = read_from and read_from['fate'] in ['kept', 'filtered'] -%}
  {%- for column in columns if column.name == '_batch_id' and is_plain and column.is_string() -%}
    {%- call statement('cdc_unread', fetch_result=true) -%}
      select distinct _batch_id from ({{ query }}) as given where {{ unread }} limit 101
    {%- endcall -%}
    {%- set batches = load_result('cdc_unread')['data'] | map('first') | list -%}
    {%- if batches | length <= 100 -%}
      {%- set conditions = ['_batch_id is null'] if none in batches else [] -%}
      {%- set names = [] -%}
      {%- for batch in batches if batch is not none -%}{%- do names.append(ledger_value(batch)) -%}{%- endfor -%}
      {%- do conditions.append('_batch_id in (' ~ names | join(', ') ~ ')') if names -%}
      {{ return(conditions | join(' or ') or 'false') }}
    {%- endif -%}
  {%- endfor -%}
  {{ return(unread) }}
{%- endmacro %}

{# Fills `__events` with the rows of the query that were not applied yet, each with its rank. Gives the names of the
   columns that are data: not those that say how a row arrived, which redelivery would change. #}
{% macro stage_events(settings, query, is_anew, counts) -%}
  {%- set decoded = cdc_decoded(settings, query) -%}
  {%- set columns = adapter.get_column_schema_from_query(decoded) -%}
  {%- set names = columns | map(attribute='name') | list -%}
  {%- set lower = names | map('lower') | list -%}
  {%- for key in ['unique_key', 'sequence_by', 'event_time'] -%}
    {%- for name in ([settings[key]] if settings[key] is string else settings[key] or []) if name | lower not in lower -%}
      {%- do exceptions.refuse('cdc-config', 'the query of `' ~ model.name ~ '` gives no column `' ~ name ~ '`, which `' ~ key ~ '` names', 'it gives ' ~ names | join(', ')) -%}
    {%- endfor -%}
  {%- endfor -%}
  {%- set arrival = ingest_metadata() | reject('equalto', '_rescued') | list -%}
  {%- set left_out = (arrival + settings['except']) | map('lower') | list -%}
  {%- set payload = [] -%}
  {%- for name in names if name | lower not in left_out or name | lower in settings['unique_key'] | map('lower') | list -%}{%- do payload.append(name) -%}{%- endfor -%}
  {%- for name in payload if name | lower in cdc_own_columns(settings) -%}
    {%- do exceptions.refuse('cdc-config', 'the query of `' ~ model.name ~ '` gives a column `' ~ name ~ '`, which medal writes itself', 'give it another name') -%}
  {%- endfor -%}
  {%- set quarantine = load_cached_relation(quarantine_relation(this)) -%}
  {%- set fresh -%}
    select *, false as medal__released from ({{ decoded }}) as given
    {%- if '_batch_id' in names and not is_anew %} where {{ cdc_unread(decoded, columns) }}{% endif -%}
    {%- if quarantine is not none and not is_anew %}
    union all by name
    select {% for column in adapter.get_columns_in_relation(quarantine) if column.name in names %}{{ column.quoted }}, {% endfor %}true as medal__released
    from {{ quarantine }} where _status = 'releasing'
    {%- endif -%}
  {%- endset -%}
  {%- set no_key -%}
    {%- for name in settings['unique_key'] %}{{ adapter.quote(name) }} is null{{ ' or ' if not loop.last }}{% endfor -%}
  {%- endset -%}
  {%- set no_sequence -%}
    {%- for name in settings['sequence_by'] %}{{ adapter.quote(name) }} is null{{ ' or ' if not loop.last }}{% endfor -%}
  {%- endset -%}
  {%- do cdc_run('create or replace temporary table ' ~ cdc_table('__events') ~ ' as
    with judged as (
      select *, coalesce((' ~ (settings['delete_when'] or 'false') ~ '), false) as medal__deletes,
        coalesce((' ~ (settings['truncate_when'] or 'false') ~ '), false) as medal__truncates
      from (' ~ fresh ~ ') as fresh
    )
    select *, ' ~ cdc_sequence(settings) ~ ' as medal__seq, ' ~ cdc_hash(payload) ~ ' as medal__hash,
      ((' ~ no_key ~ ') and not medal__truncates) or ' ~ no_sequence ~ ' as medal__lacks
    from judged') -%}
  {%- do counts.update(cdc_read(names, is_anew, cdc_value('select count(*), count(*) filter (where medal__released) from ' ~ cdc_table('__events'), whole=true))) -%}
  {%- do counts.update({'batches': cdc_value('select cast(to_json(coalesce(list(distinct _batch_id) filter (where _batch_id is not null and not medal__released), [])) as varchar) from ' ~ cdc_table('__events')) if '_batch_id' in names else '[]'}) -%}
  {{ return(payload) }}
{%- endmacro %}

{# The rows that were read, and those that the query of the model has taken out; that is unknown if it selects from more
   than one relation. #}
{% macro cdc_read(names, is_anew, events) -%}
  {%- set source = api.Relation.create(database=read_from['database'], schema=read_from['schema'], identifier=read_from['identifier']) if read_from and read_from.get('identifier') else none -%}
  {%- set in_batches = '_batch_id' in names and not is_anew -%}
  {%- if not source or (in_batches and '_batch_id' not in adapter.get_columns_in_relation(source) | map(attribute='name')) -%}
    {{ return({'rows_in': events[0], 'rows_filtered': none}) }}
  {%- endif -%}
  {%- set rows = events[1] + cdc_value('select count(*) from ' ~ source ~ (' where _batch_id is null or _batch_id not in (' ~ cdc_applied() ~ ')' if in_batches)) -%}
  {%- set taken = {'kept': 0, 'filtered': 0, 'deduplicated': 0, 'merged': 0} -%}
  {%- do taken.update({read_from['fate']: rows - events[0]}) -%}
  {%- set is_wrong = taken['kept'] or taken.values() | min < 0 -%}
  {%- if is_wrong and not read_from['is_certain'] -%}
    {{ return({'rows_in': events[0], 'rows_filtered': none}) }}
  {%- elif is_wrong -%}
    {%- do exceptions.refuse('unbalanced-rows', '`' ~ model.name ~ '` reads ' ~ rows ~ ' rows of ' ~ source ~ ', and its query gives ' ~ events[0], none) -%}
  {%- endif -%}
  {{ return({'rows_in': rows, 'rows_filtered': taken['filtered'], 'rows_merged': taken['merged'], 'rows_deduplicated': taken['deduplicated']}) }}
{%- endmacro %}

{# The same for two events that say the same, on every engine. #}
{% macro cdc_hash(payload) -%}
  md5_number_lower(cast(to_json({ {%- for name in payload %}{{ ledger_value(name | lower) }}: {{ adapter.quote(name) }}{{ ', ' if not loop.last }}{% endfor -%} }) as varchar))
{%- endmacro %}

{# The time before which an event is late: the last high watermark less the horizon. None, if nothing says so. #}
{% macro cdc_low(settings, is_anew) -%}
  {%- if is_anew or not settings['late_horizon'] -%}{{ return(none) }}{%- endif -%}
  {%- set high = cdc_value('select max_by(high, recorded_at) from ' ~ ledger_relation('watermarks') ~ ' where high is not null and model = ' ~ ledger_value(model['unique_id'])) -%}
  {{ return('cast(' ~ ledger_value(high) ~ ' as timestamp with time zone) - interval ' ~ ledger_value(settings['late_horizon']) if high else none) }}
{%- endmacro %}

{# What was released counts as in time from then on. #}
{% macro cdc_released(quarantine) %} and cast(medal__hash as varchar) not in (select _row_hash from {{ quarantine }} where _status in ('releasing', 'released')){% endmacro %}

{# Puts events without a key or sequence, and late ones if the model says so, into quarantine. #}
{% macro hold_back_events(settings, target_relation, is_anew, counts) -%}
  {%- set events = cdc_table('__events') -%}
  {%- set low = cdc_low(settings, is_anew) -%}
  {%- set quarantine = load_cached_relation(quarantine_relation(this)) -%}
  {%- set is_late = '(cast(' ~ adapter.quote(settings['event_time']) ~ ' as timestamp with time zone) < ' ~ low ~ (cdc_released(quarantine) if quarantine is not none) ~ ')' if low else 'false' -%}
  {%- set late = cdc_value('select count(*) from ' ~ events ~ ' where ' ~ is_late) if low else 0 -%}
  {%- set lacking = cdc_value('select count(*) from ' ~ events ~ ' where medal__lacks') -%}
  {%- do counts.update({'rows_late': late}) -%}
  {%- if lacking and settings['on_null_key'] == 'fail' -%}
    {%- do exceptions.refuse('null-key', lacking ~ (' event' if lacking == 1 else ' events') ~ ' of `' ~ model.name ~ '` without a key or a sequence', 'correct them where they come from, or leave `on_null_key` at `quarantine`') -%}
  {%- endif -%}
  {%- set held_back = 'medal__lacks' ~ (' or ' ~ is_late if settings['on_late'] == 'quarantine' else '') -%}
  {%- set held = cdc_table('__held') -%}
  {%- do cdc_run('create or replace temporary table ' ~ held ~ ' as select * from ' ~ events ~ ' where ' ~ held_back) -%}
  {%- set number = cdc_value('select count(*) from ' ~ held) -%}
  {%- do counts.update({'rows_quarantined': number}) -%}
  {%- if not number -%}{{ return(quarantine) }}{%- endif -%}
  {%- set reasons = [] -%}
  {%- for name in settings['unique_key'] -%}
    {%- do reasons.append({'holds': adapter.quote(name) ~ ' is null and not medal__truncates', 'value': quarantine_reason("'null-key'", column=ledger_value(name))}) -%}
  {%- endfor -%}
  {%- for name in settings['sequence_by'] -%}
    {%- do reasons.append({'holds': adapter.quote(name) ~ ' is null', 'value': quarantine_reason("'null-sequence'", column=ledger_value(name))}) -%}
  {%- endfor -%}
  {%- if low -%}{%- do reasons.append({'holds': 'not medal__lacks', 'value': quarantine_reason("'late-event'", column=ledger_value(settings['event_time']))}) -%}{%- endif -%}
  {%- do exceptions.warn('`' ~ model.name ~ '` has put ' ~ number ~ (' event' if number == 1 else ' events') ~ ' into quarantine') -%}
  {%- set rows -%}
    select * exclude (medal__deletes, medal__truncates, medal__seq, medal__hash, medal__lacks, medal__released),
      cast(medal__hash as varchar) as _row_hash, {{ adapter.dispatch('listed_if', 'dbt')(reasons) }} as _reasons
    from {{ held }}
    {%- if quarantine is not none %} where cast(medal__hash as varchar) not in (select _row_hash from {{ quarantine }}){% endif %}
    qualify row_number() over (partition by medal__hash) = 1
  {%- endset -%}
  {%- set quarantine = add_to_quarantine(target_relation, rows) -%}
  {%- do cdc_run('create or replace temporary table ' ~ events ~ ' as select * from ' ~ events ~ ' where (' ~ held_back ~ ') is not true') -%}
  {{ return(quarantine) }}
{%- endmacro %}

{# What is applied is released; what was released and is not is open again. #}
{% macro settle_events(quarantine) -%}
  {%- do cdc_run('update ' ~ quarantine ~ " set _status = 'released' where _status in ('open', 'releasing') and _row_hash in (
    select cast(medal__hash as varchar) from " ~ cdc_table('__events') ~ ')') -%}
  {%- do cdc_run('update ' ~ quarantine ~ " set _status = 'open' where _status = 'releasing'") -%}
{%- endmacro %}

{# The columns that medal adds, in lower case. #}
{% macro cdc_own_columns(settings) -%}
  {{ return(['_row_hash'] + (['_seq'] if settings['scd'] == 1 else cdc_history_names().values() | map('lower') | list)) }}
{%- endmacro %}

{# The names of the columns that say since and until when a row is true. #}
{% macro cdc_history_names() -%}
  {%- set own = config.get('snapshot_meta_column_names') or {} -%}
  {{ return({'from': own.get('dbt_valid_from') or 'valid_from', 'to': own.get('dbt_valid_to') or 'valid_to', 'current': own.get('dbt_is_current') or 'is_current'}) }}
{%- endmacro %}

{# The table and its tombstones, empty if they are made anew; else the table gets what columns it lacks. #}
{% macro make_cdc_tables(settings, target_relation, tombstones, payload, is_anew) -%}
  {%- set events = cdc_table('__events') -%}
  {%- set names = cdc_history_names() -%}
  {%- set rows -%}
    select {{ cdc_columns(payload) }}
    {%- if settings['scd'] == 1 %}, medal__seq as _seq, medal__hash as _row_hash
    {%- else %}, medal__seq as {{ adapter.quote(names.from) }}, medal__seq as {{ adapter.quote(names.to) }}, true as {{ adapter.quote(names.current) }}, medal__hash as _row_hash
    {%- endif %} from {{ events }}
  {%- endset -%}
  {%- if is_anew -%}
    {%- do cdc_run('create or replace table ' ~ tombstones ~ ' as select ' ~ cdc_columns(settings['unique_key']) ~ ', medal__seq as _seq, true as _is_truncation from ' ~ events ~ ' limit 0') -%}
    {%- do cdc_run('create or replace table ' ~ target_relation ~ ' ' ~ adapter.dispatch('table_options', 'dbt')() ~ ' as ' ~ rows ~ ' limit 0', 'main') -%}
    {%- do create_indexes(target_relation) -%}
  {%- else -%}
    {%- set columns = adapter.get_column_schema_from_query(rows) -%}
    {%- set known = adapter.get_columns_in_relation(target_relation) | map(attribute='name') | map('lower') | list -%}
    {%- for column in columns if column.name | lower not in known and settings['on_schema_change'] == 'fail' -%}
      {%- do exceptions.refuse('schema-drift', 'the query of `' ~ model.name ~ '` gives a column `' ~ column.name ~ '` that the table does not have',
        'run with --full-refresh, or set `on_schema_change` to append_new_columns') -%}
    {%- endfor -%}
    {%- do fit_target(target_relation, columns) -%}
  {%- endif -%}
{%- endmacro %}

{% macro count_ties(settings) -%}
  {%- set ties = cdc_value('
    select count(*) from (
      select 1 from ' ~ cdc_table('__events') ~ ' where not medal__truncates
      group by ' ~ cdc_columns(settings['unique_key']) ~ ', medal__seq
      having count(distinct (medal__deletes, medal__hash)) > 1
    )') -%}
  {%- if ties -%}
    {%- do exceptions.warn('`' ~ model.name ~ '` has ' ~ ties ~ (' tie' if ties == 1 else ' ties') ~ ': events of one key and one sequence that differ; a delete wins, then the larger hash') -%}
  {%- endif -%}
{%- endmacro %}

{# The state now: the best event of each key, if it outranks the row and the tombstone that are there. #}
{% macro apply_scd1(settings, target_relation, tombstones, payload, counts) -%}
  {%- set events = cdc_table('__events') -%}
  {%- set win = cdc_table('__win') -%}
  {%- set keys = cdc_columns(settings['unique_key']) -%}
  {%- set truncation = cdc_value('select max(medal__seq) is not null from ' ~ events ~ ' where medal__truncates') -%}
  {%- if truncation -%}
    {%- do cdc_run('insert into ' ~ tombstones ~ ' (_seq, _is_truncation) select max(medal__seq), true from ' ~ events ~ ' where medal__truncates') -%}
  {%- endif -%}
  {%- do cdc_run('insert into ' ~ tombstones ~ ' (' ~ keys ~ ', _seq, _is_truncation)
    select ' ~ keys ~ ', max(medal__seq), false from ' ~ events ~ ' where medal__deletes and not medal__truncates group by all') -%}
  {%- do cdc_run('create or replace temporary table ' ~ win ~ ' as
    with best as (
      select * from ' ~ events ~ ' where not medal__truncates
      qualify row_number() over (partition by ' ~ keys ~ ' order by medal__seq desc, medal__deletes desc, medal__hash desc) = 1
    ),
    gone as (select ' ~ keys ~ ', max(_seq) as seq from ' ~ tombstones ~ ' where not _is_truncation group by all),
    truncated as (select max(_seq) as seq from ' ~ tombstones ~ ' where _is_truncation)
    select best.*
    from best
    left join ' ~ target_relation ~ ' as target on ' ~ cdc_same_key(settings, 'target', 'best') ~ '
    left join gone on ' ~ cdc_same_key(settings, 'gone', 'best') ~ '
    cross join truncated
    where (target._seq is null or (best.medal__seq, best.medal__deletes, best.medal__hash) > (target._seq, false, target._row_hash))
      and (gone.seq is null or (best.medal__seq, best.medal__deletes, best.medal__hash) >= (gone.seq, true, 0))
      and (truncated.seq is null or best.medal__seq >= truncated.seq)') -%}
  {%- do cdc_run('delete from ' ~ target_relation ~ ' as target using ' ~ win ~ ' as win where ' ~ cdc_same_key(settings, 'target', 'win')) -%}
  {%- do cdc_run('insert into ' ~ target_relation ~ ' (' ~ cdc_columns(payload) ~ ', _seq, _row_hash)
    select ' ~ cdc_columns(payload) ~ ', medal__seq, medal__hash from ' ~ win ~ ' where not medal__deletes') -%}
  {%- if truncation -%}
    {%- do cdc_run('delete from ' ~ target_relation ~ ' where _seq < (select max(_seq) from ' ~ tombstones ~ ' where _is_truncation)') -%}
  {%- endif -%}
  {%- do counts.update({
    'rows_out': cdc_value('select count(*) from ' ~ win ~ ' where not medal__deletes'),
    'rows_deleted': cdc_value('select count(*) from ' ~ win ~ ' where medal__deletes') + cdc_value('select count(*) from ' ~ events ~ ' where medal__truncates'),
  }) -%}
{%- endmacro %}

{# The history: the intervals of each key that is touched are made anew from all points at which it changed. #}
{% macro apply_scd2(settings, target_relation, tombstones, payload, counts) -%}
  {%- set events = cdc_table('__events') -%}
  {%- set touched = cdc_table('__touched') -%}
  {%- set points = cdc_table('__win') -%}
  {%- set names = cdc_history_names() -%}
  {%- set keys = cdc_columns(settings['unique_key']) -%}
  {%- set from = adapter.quote(names.from) -%}
  {%- set to = adapter.quote(names.to) -%}
  {%- do cdc_run('insert into ' ~ tombstones ~ ' (_seq, _is_truncation) select distinct medal__seq, true from ' ~ events ~ ' where medal__truncates') -%}
  {%- do cdc_run('insert into ' ~ tombstones ~ ' (' ~ keys ~ ', _seq, _is_truncation)
    select distinct ' ~ keys ~ ', medal__seq, false from ' ~ events ~ ' where medal__deletes and not medal__truncates') -%}
  {%- do cdc_run('create or replace temporary table ' ~ touched ~ ' as
    select ' ~ keys ~ ' from ' ~ events ~ ' where not medal__truncates
    union
    select ' ~ cdc_columns(settings['unique_key'], 'target') ~ ' from ' ~ target_relation ~ ' as target
    join (select medal__seq from ' ~ events ~ ' where medal__truncates) as truncation
      on target.' ~ from ~ ' < medal__seq and (target.' ~ to ~ ' is null or target.' ~ to ~ ' > medal__seq)') -%}
  {%- do cdc_run('create or replace temporary table ' ~ points ~ ' as
    with points as (
      select ' ~ cdc_columns(payload) ~ ', medal__seq, case when medal__deletes then 2 else 1 end as medal__kind, medal__hash, true as medal__new
      from ' ~ events ~ ' where not medal__truncates
      union all by name
      select ' ~ cdc_columns(payload, 'target') ~ ', ' ~ from ~ ' as medal__seq, 1 as medal__kind, _row_hash as medal__hash, false as medal__new
      from ' ~ target_relation ~ ' as target semi join ' ~ touched ~ ' using (' ~ keys ~ ')
      union all by name
      select ' ~ keys ~ ', _seq as medal__seq, 2 as medal__kind, 0 as medal__hash, false as medal__new
      from ' ~ tombstones ~ ' semi join ' ~ touched ~ ' using (' ~ keys ~ ') where not _is_truncation
      union all by name
      select ' ~ cdc_columns(settings['unique_key'], 'touched') ~ ', _seq as medal__seq, 0 as medal__kind, 0 as medal__hash, false as medal__new
      from ' ~ tombstones ~ ' cross join ' ~ touched ~ ' as touched where _is_truncation
    ),
    settled as (
      select * from points
      qualify row_number() over (partition by ' ~ keys ~ ', medal__seq order by medal__kind desc, medal__hash desc, medal__new) = 1
    )
    select *, lead(medal__seq) over (partition by ' ~ keys ~ ' order by medal__seq) as medal__until from settled') -%}
  {%- do cdc_run('delete from ' ~ target_relation ~ ' as target using ' ~ touched ~ ' as touched where ' ~ cdc_same_key(settings, 'target', 'touched')) -%}
  {%- do cdc_run('insert into ' ~ target_relation ~ ' (' ~ cdc_columns(payload) ~ ', ' ~ from ~ ', ' ~ to ~ ', ' ~ adapter.quote(names.current) ~ ', _row_hash)
    select ' ~ cdc_columns(payload) ~ ', medal__seq, medal__until, medal__until is null, medal__hash from ' ~ points ~ ' where medal__kind = 1') -%}
  {%- do counts.update({
    'rows_out': cdc_value('select count(*) from ' ~ points ~ ' where medal__new and medal__kind = 1'),
    'rows_deleted': cdc_value('select count(*) from ' ~ points ~ ' where medal__new and medal__kind = 2') + cdc_value('select count(*) from ' ~ events ~ ' where medal__truncates'),
  }) -%}
{%- endmacro %}

{# What neither stayed nor deleted was known or outdone. #}
{% macro balance_events(counts) -%}
  {%- set known = counts['rows_quarantined'] + counts['rows_out'] + counts['rows_deleted'] + (counts['rows_filtered'] or 0) + (counts.get('rows_merged') or 0) -%}
  {%- if known + (counts.get('rows_deduplicated') or 0) > counts['rows_in'] -%}
    {%- do exceptions.refuse('unbalanced-rows', '`' ~ model.name ~ '` was given ' ~ counts['rows_in'] ~ ' rows, and has ' ~ known ~ ' to show for them', none) -%}
  {%- endif -%}
  {%- do counts.update({'rows_deduplicated': counts['rows_in'] - known}) -%}
{%- endmacro %}

{# What was applied, and up to when: a part of the transaction. #}
{% macro record_watermark(settings, is_anew, counts, batches) -%}
  {%- set events = cdc_table('__events') -%}
  {%- set time = adapter.quote(settings['event_time']) if settings['event_time'] else none -%}
  {%- set high = cdc_value('select cast(max(cast(' ~ time ~ ' as timestamp with time zone)) as varchar) from ' ~ events) if time else none -%}
  {%- if time and not is_anew -%}
    {%- set high = cdc_value('select cast(max(cast(high as timestamp with time zone)) as varchar) from (
      select ' ~ ledger_value(high) ~ ' as high union all
      select max_by(high, recorded_at) from ' ~ ledger_relation('watermarks') ~ ' where high is not null and model = ' ~ ledger_value(model['unique_id']) ~ ')') -%}
  {%- endif -%}
  {%- set low = cdc_value('select cast(cast(' ~ ledger_value(high) ~ ' as timestamp with time zone) - interval ' ~ ledger_value(settings['late_horizon']) ~ ' as varchar)') if high and settings['late_horizon'] else none -%}
  {%- do add_to_ledger('watermarks', {
    'mode': counts['mode'], 'high': high, 'low': low, 'late_rows': counts['rows_late'], 'source_versions_json': batches,
    'lag_s': cdc_value('select epoch(now()) - epoch(cast(' ~ ledger_value(high) ~ ' as timestamp with time zone))') if high else none,
  }) -%}
{%- endmacro %}

{# Envelopes: what a tool for change data capture writes around a row, as the columns `_op` (I, U, D, T), `_source_ts` and
   `_op_order` beside the columns of the row. #}
{% macro cdc_decoded(settings, query) -%}
  {%- if settings['cdc_format'] == 'debezium' -%}{{ return(cdc_debezium(settings, query)) }}{%- endif -%}
  {%- if settings['cdc_format'] == 'none' -%}{{ return(query) }}{%- endif -%}
  {%- set names = adapter.get_column_schema_from_query(query) | map(attribute='name') | list -%}
  {%- set own = settings['cdc_columns'] -%}
  {%- set op = own.get('op') or cdc_first(names, ['op', '_op', 'operation']) -%}
  {%- set time = own.get('timestamp') or cdc_first(names, ['_timestamp', 'timestamp', 'ar_h_timestamp', 'dms_timestamp', 'ts']) -%}
  {%- set order = own.get('order') or cdc_first(names, ['ar_h_change_seq', 'transact_id', 'lsn', 'order']) -%}
  {%- if not op or not time -%}
    {%- do exceptions.refuse('cdc-config', 'the query of `' ~ model.name ~ '` gives no column that tells ' ~ ('the operation' if not op else 'the time') ~ ' of a change',
      'name them: `cdc_columns: {op: …, timestamp: …, order: …}`') -%}
  {%- endif -%}
  {%- set gone = [op, time] + ([order] if order else []) -%}
  {{ return('select * exclude (' ~ cdc_columns(gone) ~ '), ' ~ cdc_op('coalesce(cast(' ~ adapter.quote(op) ~ " as varchar), 'I')") ~ ' as _op, '
    ~ adapter.quote(time) ~ ' as _source_ts, ' ~ (adapter.quote(order) if order else '0') ~ ' as _op_order from (' ~ query ~ ') as envelope') }}
{%- endmacro %}

{% macro cdc_first(names, wanted) -%}
  {%- for name in names if name | lower in wanted -%}{{ return(name) }}{%- endfor -%}
{%- endmacro %}

{# Debezium: c and r (a row that was there before) insert, u updates, d deletes, t truncates. #}
{% macro cdc_op(op) -%}
  case upper(left({{ op }}, 1)) when 'C' then 'I' when 'R' then 'I' when 'I' then 'I' when 'U' then 'U' when 'D' then 'D' when 'T' then 'T' else upper({{ op }}) end
{%- endmacro %}

{# The row is `after`, or `before` of a delete; its columns are those that the model declares. The parts of an event are
   columns, or stand in one column `payload`. #}
{% macro cdc_debezium(settings, query) -%}
  {%- set types = {} -%}
  {%- for column in adapter.get_column_schema_from_query(query) -%}{%- do types.update({column.name: plain_type(column)}) -%}{%- endfor -%}
  {%- set kept = ingest_metadata() | select('in', types) | reject('equalto', '_rescued') | list -%}
  {{ return("
    select " ~ cdc_op('medal__op') ~ " as _op,
      to_timestamp(cast(coalesce(medal__source ->> '/ts_ms', medal__ts_ms) as bigint) / 1000) as _source_ts,
      coalesce(try_cast(medal__source ->> '/lsn' as hugeint), try_cast(medal__source ->> '/pos' as hugeint), try_cast(medal__ts_ms as hugeint), 0) as _op_order, "
      ~ cdc_declared(settings) ~ (', ' ~ kept | join(', ') if kept) ~ "
    from (
      select *, case when json_type(medal__after) = 'OBJECT' then medal__after else medal__before end as medal__row
      from (select *, " ~ cdc_parts(types) ~ " from (" ~ query ~ ") as envelope) as parts
    ) as event") }}
{%- endmacro %}

{% macro cdc_parts(types) -%}
  {%- for part in ['op', 'ts_ms', 'source', 'before', 'after'] -%}
    {%- set is_plain = part in ['op', 'ts_ms'] -%}
    {%- if 'payload' in types -%}({{ cdc_json('payload', types) }} {{ '->>' if is_plain else '->' }} '/{{ part }}')
    {%- elif part not in types -%}cast(null as varchar)
    {%- elif is_plain -%}cast({{ adapter.quote(part) }} as varchar)
    {%- else -%}{{ cdc_json(part, types) }}
    {%- endif %} as medal__{{ part }}{{ ', ' if not loop.last }}
  {%- endfor -%}
{%- endmacro %}

{# Text is JSON already. #}
{% macro cdc_json(name, types) -%}
  {{ 'json' if types[name] in ['VARCHAR', 'JSON'] else 'to_json' }}({{ adapter.quote(name) }})
{%- endmacro %}

{% macro cdc_declared(settings) -%}
  {%- for column in settings['declared'] -%}
    cast(medal__row ->> {{ ledger_value('/' ~ column['name']) }} as {{ column['data_type'] }}) as {{ adapter.quote(column['name']) }}{{ ', ' if not loop.last }}
  {%- endfor -%}
{%- endmacro %}
