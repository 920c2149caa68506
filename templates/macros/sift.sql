{# Taking rows out of a model while it is built. Its query gets one more column, in which each rule that a row breaks sets
   a bit, so that all rules are looked at in the one scan that builds the table. What is broken then goes into quarantine
   or away. `sift_rules` is what Rust has made of the tests: the condition, and what becomes of the rows. #}

{% macro sift_column() -%}{{ return(adapter.quote('_medal_broken')) }}{%- endmacro %}

{% macro is_sifted() -%}{{ return(sift_rules is defined and (sift_rules | length) > 0) }}{%- endmacro %}

{# The query with the bits of each row. With `adds`, rows that were released from quarantine come along. #}
{% macro sifted_sql(sql, adds=false) -%}
  {%- if not is_sifted() -%}{{ return(sql) }}{%- endif -%}
  select *, {{ sift_bits(sql) }} as {{ sift_column() }}
  from ({{ with_released(sql) if adds else sql }}
  ) as medal_rows
{%- endmacro %}

{# The bits of a row. Most rows break nothing, which one look at all the rules tells; a rule that reads other rows is
   looked at by itself, so that it is in the query once. #}
{% macro sift_bits(sql) -%}
  {%- set plain = [] -%}
  {%- set others = [] -%}
  {%- for rule in sift_rules -%}
    {%- set text = rule.violation | lower -%}
    {%- set violation = adapter.dispatch('sift_violation', 'dbt')(rule.violation, sql) -%}
    {%- do (others if 'select' in text or 'over (' in text else plain).append({'violation': violation, 'bit': rule.bit}) -%}
  {%- endfor -%}
  {%- if plain -%}
    case when {% for rule in plain %}({{ rule.violation }}){{ ' or ' if not loop.last }}{% endfor %}
    then {% for rule in plain %}{{ sift_bit(rule) }}{{ ' | ' if not loop.last }}{% endfor %} else 0 end
    {{- ' | ' if others }}
  {%- endif -%}
  {%- for rule in others %}{{ sift_bit(rule) }}{{ ' | ' if not loop.last }}{% endfor -%}
{%- endmacro %}

{% macro sift_bit(rule) -%}case when {{ rule.violation }} then {{ rule.bit }} else 0 end{%- endmacro %}

{# A violation may name the rows as a whole, `medal_rows`. #}
{% macro default__sift_violation(violation, sql) -%}{{ return(violation) }}{%- endmacro %}

{% macro with_released(sql) -%}
  {%- set quarantine = load_cached_relation(quarantine_relation(this)) -%}
  {{ sql }}
  {%- if quarantine is not none %}
  union all by name
  select {% for column in get_column_schema_from_query(sql) %}{{ column.quoted }}{{ ', ' if not loop.last }}{% endfor %}
  from {{ quarantine }} where _status = 'releasing'
  {%- endif -%}
{%- endmacro %}

{# The bits of the rules with an action. #}
{% macro sift_mask(action) -%}
  {%- set bits = sift_rules | selectattr('action', 'equalto', action) | map(attribute='bit') | list -%}
  {{ return('(' ~ bits | join(' | ') ~ ')' if bits else '0') }}
{%- endmacro %}

{# Takes the broken rows out of a table that was made of `sifted_sql`, and says how many there were. #}
{% macro sift(relation, is_anew) -%}
  {%- if not is_sifted() -%}{{ return(unsifted(relation)) }}{%- endif -%}
  {%- set broken = sift_column() -%}
  {%- set held = '(' ~ broken ~ ' & ' ~ sift_mask('quarantine') ~ ') <> 0' -%}
  {%- set counted -%}
    select {{ counted_where('true') }}, {{ counted_where(held) }}, {{ counted_where(broken ~ ' <> 0') }}
      {%- for rule in sift_rules %}, {{ counted_where('(' ~ broken ~ ' & ' ~ rule.bit ~ ') <> 0') }}{% endfor %}
    from (select {{ broken }}, count(*) as medal_rows from {{ relation }} group by 1)
  {%- endset -%}
  {%- set counts = run_query(counted)[0].values() | list -%}
  {%- set released = 0 if is_anew else released_rows() -%}
  {%- do settle_quarantine(relation, held, is_anew) -%}
  {%- if counts[1] -%}
    {%- do hold_back(relation, held) -%}
  {%- endif -%}
  {%- if counts[2] -%}
    {%- call statement('sift') -%}delete from {{ relation }} where {{ broken }} <> 0{%- endcall -%}
  {%- endif -%}
  {%- call statement('sift') -%}alter table {{ relation }} drop column {{ broken }}{%- endcall -%}
  {{ return({
    'rows_in': counts[0], 'rows_quarantined': counts[1], 'rows_dropped': counts[2] - counts[1],
    'rows_out': run_query('select count(*) from ' ~ relation)[0][0], 'broken': counts[3:], 'rows_released': released,
  }) }}
{%- endmacro %}

{% macro counted_where(condition) -%}cast(coalesce(sum(medal_rows) filter (where {{ condition }}), 0) as bigint){%- endmacro %}

{# The rows of a table out of which no test takes any. Only layers ask for them. #}
{% macro unsifted(relation) -%}
  {%- if not (is_published is defined and is_published) -%}{{ return(none) }}{%- endif -%}
  {%- set rows = run_query('select count(*) from ' ~ relation)[0][0] -%}
  {{ return({'rows_in': rows, 'rows_out': rows}) }}
{%- endmacro %}

{# How many rows come out of quarantine with this build. #}
{% macro released_rows() -%}
  {%- set quarantine = load_cached_relation(quarantine_relation(this)) -%}
  {{ return(run_query('select count(*) from ' ~ quarantine ~ " where _status = 'releasing'")[0][0] if quarantine is not none else 0) }}
{%- endmacro %}

{# What tells a row from others, whatever rules it breaks. #}
{% macro sift_hash(relation) -%}
  {%- set columns = adapter.get_columns_in_relation(relation) | rejectattr('name', 'equalto', '_medal_broken') | list -%}
  {{ return(adapter.dispatch('row_hash', 'dbt')(columns)) }}
{%- endmacro %}

{% macro default__row_hash(columns) -%}
  md5(cast(row(
    {%- for column in columns %}{{ column.quoted }}{{ ', ' if not loop.last }}{% endfor -%}
  ) as varchar))
{%- endmacro %}

{# The rows that are held back, each once as long as it is open: the same row twice in the data is two rows. #}
{% macro hold_back(relation, held) -%}
  {%- set quarantine = load_cached_relation(quarantine_relation(this)) -%}
  {%- set rows -%}
    {%- set reasons = [] -%}
    {%- for rule in sift_rules -%}
      {%- set reason = quarantine_reason(ledger_value(rule.code), ledger_value(rule.column), ledger_value(rule.test_id)) -%}
      {%- do reasons.append({'holds': '(' ~ sift_column() ~ ' & ' ~ rule.bit ~ ') <> 0', 'value': reason}) -%}
    {%- endfor %}
    select * exclude (_medal_copy, {{ sift_column() }}), {{ adapter.dispatch('listed_if', 'dbt')(reasons) }} as _reasons
    from (
      select *, row_number() over (partition by _row_hash) as _medal_copy
      from (select *, {{ sift_hash(relation) }} as _row_hash from {{ relation }} where {{ held }})
    ) as found
    {%- if quarantine is not none %}
    where _medal_copy > (select count(*) from {{ quarantine }} as known where known._row_hash = found._row_hash and known._status = 'open')
    {%- endif %}
  {%- endset -%}
  {%- do add_to_quarantine(this, rows) -%}
{%- endmacro %}

{# The list of those values whose condition holds. #}
{% macro default__listed_if(values) -%}
  list_filter([{% for one in values %}case when {{ one.holds }} then {{ one.value }} end{{ ', ' if not loop.last }}{% endfor %}], one -> one is not null)
{%- endmacro %}

{# What was released leaves; and of a table that is built anew, what its query does not give as a broken row any more. #}
{% macro settle_quarantine(relation, held, is_anew) -%}
  {%- set quarantine = load_cached_relation(quarantine_relation(this)) -%}
  {%- if quarantine is not none -%}
    {%- call statement('settle_quarantine') -%}
      update {{ quarantine }} set _status = 'released' where _status = 'releasing'
      {%- if is_anew %} or (_status = 'open' and _row_hash not in (
        select {{ sift_hash(relation) }} from {{ relation }} where {{ held }}
      )){% endif %}
    {%- endcall -%}
  {%- endif -%}
{%- endmacro %}

{# A temporary table of the query's rows, with their bits. A contract speaks of the query, not of the bits. #}
{% macro stage_sifted_sql(temp_relation, sql, adds) -%}
  {%- if not is_sifted() -%}{{ return(get_create_table_as_sql(true, temp_relation, sql)) }}{%- endif -%}
  {%- set contract = config.get('contract') -%}
  {%- if contract and contract.enforced -%}{%- do get_assert_columns_equivalent(sql) -%}{%- endif -%}
  {{ config.get('sql_header') or '' }}
  create or replace temporary table {{ temp_relation }} as (
    {{ sifted_sql(sql, adds) }}
  )
{%- endmacro %}

{# Builds a table anew, without the rows that tests take out of it. A contract gives the table its columns, so there the
   rows go through a temporary one. #}
{% macro build_sifted(existing_relation, target_relation, sql) -%}
  {%- set contract = config.get('contract') -%}
  {%- set is_by_way = is_sifted() and contract and contract.enforced -%}
  {%- set given = sql if is_by_way else sifted_sql(sql) -%}
  {%- if is_by_way -%}
    {%- set temp_relation = make_temp_relation(target_relation, '__medal_rows') -%}
    {%- call statement('stage') -%}{{ stage_sifted_sql(temp_relation, sql, adds=false) }}{%- endcall -%}
    {%- set sifted = sift(temp_relation, is_anew=true) -%}
    {%- set given = 'select * from ' ~ temp_relation -%}
  {%- endif -%}
  {%- call statement('main') -%}{{ get_replace_sql(existing_relation, target_relation, given) }}{%- endcall -%}
  {%- if is_by_way -%}
    {%- do drop_relation(temp_relation) -%}
    {{ return(sifted) }}
  {%- endif -%}
  {{ return(sift(target_relation, is_anew=true)) }}
{%- endmacro %}

{# What is in the quarantine of this model, as a query; nothing if there is none. #}
{% macro quarantine_summary(condition=none, personal=[]) -%}
  {%- set quarantine = load_cached_relation(quarantine_relation(this)) -%}
  {%- if quarantine is none -%}{{ return(none) }}{%- endif -%}
  {%- set sql -%}
    select {{ ledger_value(model.name) }} as model, _status as status, reason.code as code, count(*) as rows,
      min(_quarantined_at)::date as since
    from (select _status, _quarantined_at, unnest(_reasons) as reason from {{ quarantine }}{{ ' where ' ~ condition if condition }})
    group by all
    order by status, rows desc, code
  {%- endset -%}
  {{ return(sql) }}
{%- endmacro %}

{# What is open in the quarantine of this model, in numbers alone: a line for all of it, and one a reason. #}
{% macro quarantine_counts() -%}
  {%- set quarantine = load_cached_relation(quarantine_relation(this)) -%}
  {%- if quarantine is none -%}{{ return(none) }}{%- endif -%}
  {%- set sql -%}
    select is_whole, code, test_id, reason_column, rows, newest from (
      select true as is_whole, cast(null as varchar) as code, cast(null as varchar) as test_id, cast(null as varchar) as reason_column,
        count(*) as rows, max(_quarantined_at) as newest
      from {{ quarantine }} where _status = 'open'
      union all
      select false, reason.code, reason.test_id, reason."column", count(*), max(_quarantined_at)
      from (select _quarantined_at, unnest(_reasons) as reason from {{ quarantine }} where _status = 'open') as open_rows
      group by 2, 3, 4
    ) as counted
    order by is_whole desc, rows desc, code, reason_column, test_id
  {%- endset -%}
  {{ return(sql) }}
{%- endmacro %}

{# Reasons without the words of a reader, which may name a value. #}
{% macro default__veiled_reasons() -%}
  list_transform(_reasons, lambda reason: {{ quarantine_reason(
    'reason.code', 'reason."column"', 'reason.test_id', "case when reason.message is not null then '***' end"
  ) }}) as _reasons
{%- endmacro %}

{# The open rows; what is personal in them is not shown: `personal` has names in lower case, or `*`. #}
{% macro quarantine_rows(condition=none, personal=[]) -%}
  {%- set quarantine = load_cached_relation(quarantine_relation(this)) -%}
  {%- if quarantine is none -%}{{ return(none) }}{%- endif -%}
  {%- set columns = [] -%}
  {%- for column in adapter.get_columns_in_relation(quarantine) -%}
    {%- set is_ours = column.name in quarantine_columns() or column.name in ['_source_row', '_checksum', '_ingested_at', '_ingest_date'] -%}
    {%- set is_hidden = column.name | lower in personal or ((personal | length) > 0 and column.name == '_raw') or ('*' in personal and not is_ours) -%}
    {%- do columns.append(
      veiled_column(column.quoted) if is_hidden
      else adapter.dispatch('veiled_reasons', 'dbt')() if personal and column.name == '_reasons' else column.quoted
    ) -%}
  {%- endfor -%}
  {{ return('select ' ~ columns | join(', ') ~ ' from ' ~ quarantine ~ " where _status = 'open'" ~ (' and (' ~ condition ~ ')' if condition else '')) }}
{%- endmacro %}

{# How many open rows there are for a change. #}
{% macro open_rows(quarantine, condition) -%}
  {%- set filter = "_status = 'open'" ~ (' and (' ~ condition ~ ')' if condition else '') -%}
  {{ return([run_query('select count(*) from ' ~ quarantine ~ ' where ' ~ filter)[0][0], filter]) }}
{%- endmacro %}

{% macro release_quarantine(condition=none) -%}
  {%- set quarantine = load_cached_relation(quarantine_relation(this)) -%}
  {%- if quarantine is none -%}{{ return(none) }}{%- endif -%}
  {%- set rows, filter = open_rows(quarantine, condition) -%}
  {%- call statement('release') -%}update {{ quarantine }} set _status = 'releasing' where {{ filter }}{%- endcall -%}
  {{ return(rows) }}
{%- endmacro %}

{% macro purge_quarantine(condition=none) -%}
  {%- set quarantine = load_cached_relation(quarantine_relation(this)) -%}
  {%- if quarantine is none -%}{{ return(none) }}{%- endif -%}
  {%- set rows, filter = open_rows(quarantine, condition) -%}
  {%- call statement('purge') -%}
    update {{ quarantine }} set _status = 'purged'
    {%- for column in adapter.get_columns_in_relation(quarantine) if column.name not in quarantine_columns() %}, {{ column.quoted }} = null{% endfor %}
    where {{ filter }}
  {%- endcall -%}
  {{ return(rows) }}
{%- endmacro %}
