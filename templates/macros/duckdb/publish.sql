{# What DuckDB cannot rename: a table with indexes, and one that a foreign key leads to. #}

{% macro duckdb__bound_to(relation) -%}
  {%- set indexes = [] -%}
  {%- if relation.type == 'table' -%}
    {%- set rows = run_query(
      'select index_name from duckdb_indexes() where database_name = ' ~ ledger_value(relation.database)
      ~ ' and schema_name = ' ~ ledger_value(relation.schema) ~ ' and table_name = ' ~ ledger_value(relation.identifier)
    ) -%}
    {%- for row in rows -%}
      {%- do indexes.append(relation.incorporate(path={'identifier': row[0]}) | string) -%}
    {%- endfor -%}
  {%- endif -%}
  {{ return({'indexes': indexes, 'tables': foreign_keys_to(relation) if relation.type == 'table' else []}) }}
{%- endmacro %}

{# DuckDB shares the rows of a table among its threads by how many are committed: of a table that is not, one thread reads
   everything, and another waits for it at full speed. As a union of parts of whole row groups, all of them read it. #}
{% macro duckdb__in_parts(relation) -%}
  {%- set built = load_cached_relation(relation) -%}
  {%- set names = adapter.get_columns_in_relation(relation) | map(attribute='name') | map('lower') | list -%}
  {%- if built is none or built.type != 'table' or 'rowid' in names -%}{{ return(relation) }}{%- endif -%}
  {%- set group = 122880 -%}
  {%- set found = run_query("select min(rowid), count(*), current_setting('threads') from " ~ relation)[0] -%}
  {%- set parts = [found[2], found[1] // group] | min -%}
  {%- if parts < 2 -%}{{ return(relation) }}{%- endif -%}
  {%- set starts = [] -%}
  {%- for part in range(1, parts) -%}{%- do starts.append(found[0] + found[1] // group * part // parts * group) -%}{%- endfor -%}
  {%- set sql -%}
    (from {{ relation }} where rowid < {{ starts[0] }}
    {%- for start in starts %}
    union all from {{ relation }} where rowid >= {{ start }}{{ ' and rowid < ' ~ starts[loop.index] if not loop.last }}
    {%- endfor -%})
  {%- endset -%}
  {{ return(sql) }}
{%- endmacro %}
