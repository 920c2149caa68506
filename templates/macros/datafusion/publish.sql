{# Publishing in a lakehouse: what is built in a transaction is seen by nobody else, and the log of a table has the versions
   before. So nothing is set aside, and going back is one more version. #}

{% macro datafusion__set_aside(how) -%}
  {%- set existing = load_cached_relation(this) -%}
  {%- set version = published_version() if existing is not none else none -%}
  {%- set rows = rows_of(existing) if existing is not none else none -%}
  {{ return({'version': version, 'rows': rows, 'is_kept': false, 'can_return': false}) }}
{%- endmacro %}

{# A version is called after the run that built it, and the log says of which run each of its entries is. #}
{% macro datafusion__roll_back(to=none) -%}
  {%- set existing = load_cached_relation(this) -%}
  {%- if existing is none or existing.type != 'table' -%}
    {{ return({'refused': 'it is not a table, and has no earlier version', 'kept': []}) }}
  {%- endif -%}
  {%- set current = published_version() -%}
  {%- set entries = {} -%}
  {%- for entry in run_query('describe history ' ~ existing) if entry['run_id'] and entry['run_id'][:8] not in entries -%}
    {%- do entries.update({entry['run_id'][:8]: entry['version']}) -%}
  {%- endfor -%}
  {%- set kept = known_versions().published | select('in', entries) | list -%}
  {%- set wanted = to or (kept | first if kept else none) -%}
  {%- if wanted not in kept -%}
    {{ return({'refused': 'there is no earlier version' if to is none else 'the version `' ~ to ~ '` is not kept', 'kept': kept}) }}
  {%- endif -%}
  {%- call statement('roll_back') -%}restore table {{ existing }} to version as of {{ entries[wanted] }}{%- endcall -%}
  {%- do add_to_ledger('publications', {
    'from_version': current, 'to_version': wanted, 'state': 'rolled_back', 'rows': rows_of(existing)
  }) -%}
  {{ return({'from': current, 'to': wanted}) }}
{%- endmacro %}
