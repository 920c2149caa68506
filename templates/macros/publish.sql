{# Publishing: what stands under the name of a model is set aside, the model is built and audited, and then either what is
   new stays under the name, or what was there comes back. All of it is one transaction, which readers see as one step.
   A version of a model is a table beside it, `<name>__medal_<version>`; the ledger says which is published. #}

{% macro version_relation(version) -%}
  {{ return(this.incorporate(path={'identifier': this.identifier ~ '__medal_' ~ version})) }}
{%- endmacro %}

{# The version that stands under the name of the model; `earlier` if medal has not published it. #}
{% macro published_version() -%}
  {%- set rows = run_query(
    'select to_version from ' ~ ledger_relation('publications') ~ ' where model = ' ~ ledger_value(model['unique_id'])
    ~ " and state in ('published', 'rolled_back') order by recorded_at desc limit 1"
  ) -%}
  {{ return(rows[0][0] if rows | length else 'earlier') }}
{%- endmacro %}

{% macro rows_of(relation) -%}
  {{ return(run_query('select count(*) from ' ~ relation)[0][0] if relation.type == 'table' else none) }}
{%- endmacro %}

{# Sets aside what is there: it is moved away, copied, or (`keep`) left in its place, where it cannot be given back.
   Nor can a table be moved that other objects of the warehouse hang on. #}
{% macro set_aside(how) -%}
  {{ return(adapter.dispatch('set_aside', 'dbt')(how)) }}
{%- endmacro %}

{% macro default__set_aside(how) -%}
  {%- set existing = load_cached_relation(this) -%}
  {%- if existing is none -%}{{ return({'version': none, 'rows': none, 'is_kept': false, 'can_return': true}) }}{%- endif -%}
  {%- set version = published_version() -%}
  {%- set rows = rows_of(existing) -%}
  {%- set kept = version_relation(version).incorporate(type=existing.type) -%}
  {%- set bound = adapter.dispatch('bound_to', 'dbt')(existing) -%}
  {%- if how == 'keep' or bound.tables -%}
    {{ return({'version': version, 'rows': rows, 'is_kept': false, 'can_return': false}) }}
  {%- endif -%}
  {%- do drop_relation_if_exists(load_cached_relation(kept)) -%}
  {%- if how == 'copy' -%}
    {%- call statement('set_aside') -%}create table {{ kept }} as select * from {{ existing }}{%- endcall -%}
    {%- do adapter.cache_added(kept) -%}
  {%- else -%}
    {%- for index in bound.indexes -%}
      {%- call statement('set_aside') -%}drop index {{ index }}{%- endcall -%}
    {%- endfor -%}
    {%- do adapter.rename_relation(existing, kept) -%}
  {%- endif -%}
  {{ return({'version': version, 'rows': rows, 'is_kept': true, 'can_return': not bound.indexes and not config.get('indexes')}) }}
{%- endmacro %}

{# What in the warehouse keeps a relation from being renamed: its indexes, and the tables whose keys lead to it. #}
{% macro default__bound_to(relation) -%}
  {{ return({'indexes': [], 'tables': []}) }}
{%- endmacro %}

{# The rows of what was built. #}
{% macro built_rows() -%}
  {{ return(rows_of(load_cached_relation(this))) }}
{%- endmacro %}

{# Since when the rows of an incremental model are there, before it was built anew and now, if it begins later now: by
   `event_time`, or by `_ingest_date`, the date on which bronze has received a row. #}
{% macro lost_history(before) -%}
  {%- set names = adapter.get_columns_in_relation(this) | map(attribute='name') | list -%}
  {%- set column = config.get('event_time') or ('_ingest_date' if '_ingest_date' in names else none) -%}
  {%- if not before.is_kept or column is none -%}{{ return(none) }}{%- endif -%}
  {%- set rows = run_query(
    'select was.oldest::varchar, coalesce(now.oldest::varchar, \'none\') from (select min(' ~ column ~ ') as oldest from '
    ~ version_relation(before.version) ~ ') as was, (select min(' ~ column ~ ') as oldest from ' ~ this
    ~ ') as now where was.oldest is not null and (now.oldest is null or now.oldest > was.oldest)'
  ) -%}
  {{ return({'column': column, 'was': rows[0][0], 'is': rows[0][1]} if rows | length else none) }}
{%- endmacro %}

{# Writes down that what was built is what readers see from the commit on. #}
{% macro record_publication(before, entry, keep) -%}
  {%- do record_unit(before, entry, 'success') -%}
  {%- do forget_versions(keep - 1) -%}
{%- endmacro %}

{# The rows of the ledger for one model of a unit. #}
{% macro record_unit(before, entry, status) -%}
  {%- do add_to_ledger('publications', {
    'from_version': before.version, 'to_version': entry.version, 'state': entry.state, 'rows': entry.rows, 'note': entry.note
  }) -%}
  {%- do add_to_ledger('nodes', dict({'layer': entry.layer, 'status': status, 'mode': entry.mode}, **entry.counts)) -%}
  {%- do record_drift(entry.drift, status) -%}
  {%- for check in entry.checks -%}
    {%- do add_to_ledger('checks', dict({'rows': entry.rows_given}, **check)) -%}
  {%- endfor -%}
{%- endmacro %}

{# Puts what was there back under the name of the model; what was built stays beside it. #}
{% macro withdraw(before, entry) -%}
  {%- set built = load_cached_relation(this) -%}
  {%- if built is not none -%}
    {%- set candidate = version_relation(entry.version).incorporate(type=built.type) -%}
    {%- do forget_versions(none) -%}
    {%- do adapter.rename_relation(built, candidate) -%}
  {%- endif -%}
  {%- if before.is_kept -%}
    {%- set kept = load_cached_relation(version_relation(before.version)) -%}
    {%- do adapter.rename_relation(kept, this.incorporate(type=kept.type)) -%}
  {%- endif -%}
  {%- do record_unit(before, entry, entry.state) -%}
{%- endmacro %}

{# Keeps the rows of a query as the candidate of a version, when the table that had them is gone. #}
{% macro keep_candidate(sql, version) -%}
  {%- set candidate = version_relation(version).incorporate(type='table') -%}
  {%- call statement('keep_candidate') -%}create table {{ candidate }} as ({{ sql }}){%- endcall -%}
  {%- do adapter.cache_added(candidate) -%}
{%- endmacro %}

{# Keeps what was built as the candidate of a version. #}
{% macro copy_candidate(version) -%}
  {{ return(keep_candidate('select * from ' ~ this, version)) }}
{%- endmacro %}

{# What was built is kept, and the candidates before it go. #}
{% macro record_copy(before, entry) -%}
  {%- do forget_versions(none) -%}
  {%- do record_unit(before, entry, entry.state) -%}
{%- endmacro %}

{# Drops the versions that nobody asks for any more: candidates that were not published, and all but the last few that
   were (none: all of these stay). What the ledger does not know is not touched. #}
{% macro forget_versions(kept) -%}
  {%- set start = this.identifier ~ '__medal_' -%}
  {%- set found = [] -%}
  {%- for relation in adapter.list_relations(this.database, this.schema) if relation.identifier.startswith(start) -%}
    {%- do found.append(relation) -%}
  {%- endfor -%}
  {%- if found -%}
    {%- set versions = known_versions() -%}
    {%- set published = versions.published if kept is none else versions.published[:kept] -%}
    {%- for relation in found -%}
      {%- set version = relation.identifier[start | length:] -%}
      {%- set is_asked_for = version == versions.current or (version in published and relation.type == 'table') -%}
      {%- if version in versions.all and not is_asked_for -%}
        {%- do adapter.drop_relation(relation) -%}
      {%- endif -%}
    {%- endfor -%}
  {%- endif -%}
{%- endmacro %}

{# The versions of the ledger, the newest first. One that was rolled back counts as not published. #}
{% macro known_versions() -%}
  {%- set rows = run_query(
    'select from_version, to_version, state from ' ~ ledger_relation('publications')
    ~ ' where model = ' ~ ledger_value(model['unique_id']) ~ ' order by recorded_at desc'
  ) -%}
  {%- set current = published_version() -%}
  {%- set versions = {'all': [], 'published': [], 'current': current} -%}
  {%- set withdrawn = [] -%}
  {%- for row in rows -%}
    {%- do withdrawn.append(row[0]) if row[2] == 'rolled_back' -%}
    {%- for version in [row[1], row[0]] if version -%}
      {%- do versions.all.append(version) if version not in versions.all -%}
      {%- set was_read = row[2] in ['published', 'rolled_back'] and version not in withdrawn -%}
      {%- do versions.published.append(version) if was_read and version != current and version not in versions.published -%}
    {%- endfor -%}
  {%- endfor -%}
  {{ return(versions) }}
{%- endmacro %}
