{# What can be done with the versions of a model once they are there: looked at, compared, rolled back, held. #}

{# Puts an earlier version back: the one before, or the one that is named. Gives what was done, or why it cannot be. #}
{% macro roll_back(to=none) -%}
  {{ return(adapter.dispatch('roll_back', 'dbt')(to)) }}
{%- endmacro %}

{% macro default__roll_back(to=none) -%}
  {%- set existing = load_cached_relation(this) -%}
  {%- set current = published_version() -%}
  {%- set versions = known_versions() -%}
  {%- set kept = [] -%}
  {%- for version in versions.published if load_cached_relation(version_relation(version)) is not none -%}
    {%- do kept.append(version) -%}
  {%- endfor -%}
  {%- set wanted = to or (kept | first if kept else none) -%}
  {%- set bound = adapter.dispatch('bound_to', 'dbt')(existing) if existing is not none else {'tables': []} -%}
  {%- if wanted not in kept -%}
    {{ return({'refused': 'there is no earlier version' if to is none else 'the version `' ~ to ~ '` is not kept', 'kept': kept}) }}
  {%- elif bound.tables -%}
    {{ return({'refused': 'a foreign key leads to it', 'kept': kept}) }}
  {%- endif -%}
  {%- set relation = load_cached_relation(version_relation(wanted)) -%}
  {%- if existing is not none -%}
    {%- set away = version_relation(current).incorporate(type=existing.type) -%}
    {%- do drop_relation_if_exists(load_cached_relation(away)) -%}
    {%- for index in bound.indexes -%}
      {%- call statement('roll_back') -%}drop index {{ index }}{%- endcall -%}
    {%- endfor -%}
    {%- do adapter.rename_relation(existing, away) -%}
  {%- endif -%}
  {%- do adapter.rename_relation(relation, this.incorporate(type=relation.type)) -%}
  {%- do create_indexes(this) if relation.type == 'table' -%}
  {%- do add_to_ledger('publications', {
    'from_version': current, 'to_version': wanted, 'state': 'rolled_back', 'rows': rows_of(this.incorporate(type=relation.type))
  }) -%}
  {{ return({'from': current, 'to': wanted}) }}
{%- endmacro %}

{# Why a model is held, if it is. #}
{% macro hold_of() -%}
  {%- set rows = run_query(
    'select state, note from ' ~ ledger_relation('publications') ~ ' where model = ' ~ ledger_value(model['unique_id'])
    ~ " and state in ('held', 'released') order by recorded_at desc limit 1"
  ) -%}
  {{ return(rows[0][1] or 'no reason was given' if rows | length and rows[0][0] == 'held' else none) }}
{%- endmacro %}

{% macro hold_version(state, reason) -%}
  {%- set current = published_version() -%}
  {%- do add_to_ledger('publications', {
    'from_version': current, 'to_version': current, 'state': state, 'note': reason
  }) -%}
{%- endmacro %}

{# The newest version that was built and is not what readers see, else the one before; and how it differs from them. #}
{% macro diff_of_versions(version=none) -%}
  {%- set existing = load_cached_relation(this) -%}
  {%- set start = this.identifier ~ '__medal_' -%}
  {%- set versions = known_versions() -%}
  {%- set kept = [] -%}
  {%- for name in versions.all if name != versions.current and load_cached_relation(version_relation(name)) is not none -%}
    {%- do kept.append(name) -%}
  {%- endfor -%}
  {%- set wanted = version or (kept | first if kept else none) -%}
  {%- if existing is none or wanted not in kept -%}{{ return(none) }}{%- endif -%}
  {%- set other = load_cached_relation(version_relation(wanted)) -%}
  {%- set here = {} -%}
  {%- set both = [] -%}
  {%- for column in adapter.get_columns_in_relation(existing) -%}{%- do here.update({column.name: column}) -%}{%- endfor -%}
  {%- set there = [] -%}
  {%- for column in adapter.get_columns_in_relation(other) -%}
    {%- do there.append(column.name) -%}
    {%- do both.append(column.quoted) if column.name in here and here[column.name].data_type == column.data_type -%}
  {%- endfor -%}
  {%- set names = both | join(', ') -%}
  {%- set sql -%}
    select {{ ledger_value(model.name) }} as model, {{ ledger_value(wanted) }} as version,
      (select count(*) from {{ existing }}) as rows_published, (select count(*) from {{ other }}) as rows_version,
      (select count(*) from ({{ numbered_rows(names, existing) }} except {{ numbered_rows(names, other) }})) as only_published,
      (select count(*) from ({{ numbered_rows(names, other) }} except {{ numbered_rows(names, existing) }})) as only_version,
      {{ ledger_value(here | reject('in', there) | join(', ')) }} as columns_gone,
      {{ ledger_value(there | reject('in', here) | join(', ')) }} as columns_new
  {%- endset -%}
  {{ return(sql) }}
{%- endmacro %}

{# Rows of which no two are the same: those that are alike are numbered. #}
{% macro numbered_rows(names, relation) -%}
  select {{ names }}, row_number() over (partition by {{ names }}) as medal_number from {{ relation }}
{%- endmacro %}

{# Up to when there are data, as SQL: the newest `event_time`, or the time of the last file that landed. #}
{% macro fresh_until(existing) -%}
  {%- set time = config.get('event_time') or ('_ingested_at' if config.get('materialized') == 'ingest' else none) -%}
  {%- set names = adapter.get_columns_in_relation(existing) | map(attribute='name') | map('lower') | list if existing is not none and time else [] -%}
  {%- if not time or time | lower not in names -%}cast(null as varchar)
  {%- else -%}(select strftime(max(cast({{ adapter.quote(time) }} as timestamp)), '%Y-%m-%d %H:%M:%S') from {{ existing }})
  {%- endif -%}
{%- endmacro %}

{# One line of `medal status`: how the rows of the last build add up, and what readers see. #}
{% macro status_of(layer) -%}
  {%- set id = ledger_value(model['unique_id']) -%}
  {%- set quarantine = load_cached_relation(quarantine_relation(this)) -%}
  {%- set existing = load_cached_relation(this) -%}
  {%- set sql -%}
    select {{ ledger_value(layer) }} as layer, {{ ledger_value(model.name) }} as model, built.rows_in, built.rows_out,
      built.rows_quarantined as quarantined, coalesce(built.rows_dropped, 0) as dropped,
      coalesce(built.rows_deduplicated, 0) as deduplicated,
      case when built.rows_in is not null then coalesce(cast(built.rows_filtered as varchar), 'unknown') end as filtered,
      coalesce(built.rows_merged, 0) as merged, coalesce(built.rows_deleted, 0) as deleted,
      {% if quarantine is none %}0{% else %}(select count(*) from {{ quarantine }} where _status = 'open'){% endif %} as open,
      {{ fresh_until(existing) }} as fresh_until, published.to_version as version,
      strftime(coalesce(published.recorded_at, built.recorded_at), '%Y-%m-%d %H:%M:%S') as published_at, last.state as last_attempt
    from (select 1) as one
    left join (select * from {{ ledger_relation('nodes') }} where model = {{ id }} and status = 'success' order by recorded_at desc limit 1) as built on true
    left join (select * from {{ ledger_relation('publications') }} where model = {{ id }} and state in ('published', 'rolled_back') order by recorded_at desc limit 1) as published on true
    left join (select * from {{ ledger_relation('publications') }} where model = {{ id }} order by recorded_at desc limit 1) as last on true
  {%- endset -%}
  {{ return(sql) }}
{%- endmacro %}

{# Rows of a run: that it has begun, and how it ended. #}
{% macro record_run(database, status, command, exit_code, version, started) -%}
  {%- set values = [invocation_id, command, status, exit_code, target.name, version] -%}
  {%- call statement('record_run') -%}
    insert into {{ ledger_relation('runs', database) }}
      (run_id, command, status, exit_code, target, medal_version, started_at, recorded_at)
    select {% for value in values %}{{ ledger_value(value) }}, {% endfor %}{{ ledger_value(started) }}::timestamptz, now()
  {%- endcall -%}
{%- endmacro %}

{# The last runs, the newest first. #}
{% macro list_runs(limit) -%}
  {%- set sql -%}
    select runs.run_id, arg_max(runs.command, runs.recorded_at) as command, arg_max(runs.status, runs.recorded_at) as status,
      strftime(min(runs.started_at), '%Y-%m-%d %H:%M:%S') as started_at,
      round(date_diff('millisecond', min(runs.started_at), max(runs.recorded_at)) / 1000, 1) as seconds,
      (select count(*) from {{ ledger_relation('publications') }} as p where p.run_id = runs.run_id and state = 'published') as published,
      (select count(*) from {{ ledger_relation('publications') }} as p where p.run_id = runs.run_id and state = 'staged') as not_published
    from {{ ledger_relation('runs') }} as runs
    group by runs.run_id
    order by min(runs.started_at) desc
    limit {{ limit }}
  {%- endset -%}
  {{ return(sql) }}
{%- endmacro %}

{# What the ledger says of one run: of each model that it has built, or (`timeline`) everything in the order of time. #}
{% macro show_run(run, timeline) -%}
  {%- set own = 'run_id like ' ~ ledger_value(run ~ '%') if run else
    'run_id = (select run_id from ' ~ ledger_relation('runs') ~ ' order by started_at desc limit 1)' -%}
  {%- set name = "split_part(model, '.', 3)" -%}
  {%- set sql -%}
    {%- if timeline -%}
    select strftime(recorded_at, '%H:%M:%S.%g') as at, what, name, state, rows, note from (
      select recorded_at, 0 as place, 'run' as what, command as name, status as state, null::bigint as rows, '' as note
      from {{ ledger_relation('runs') }} where {{ own }}
      union all
      select recorded_at, 1, 'test', split_part(test_id, '.', 3), status, failures, action from {{ ledger_relation('checks') }} where {{ own }}
      union all
      select recorded_at, 2, 'model', {{ name }}, state, rows, coalesce(note, '') from {{ ledger_relation('publications') }} where {{ own }}
    ) order by recorded_at, place, name
    {%- else -%}
    select layer, {{ name }} as model, status, mode, rows_in, rows_out, rows_quarantined as quarantined, rows_dropped as dropped,
      rows_deduplicated as deduplicated, rows_filtered as filtered, rows_merged as merged, rows_deleted as deleted
    from {{ ledger_relation('nodes') }} where {{ own }} order by recorded_at
    {%- endif -%}
  {%- endset -%}
  {{ return('select * from (' ~ sql ~ ')') }}
{%- endmacro %}
