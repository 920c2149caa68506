{# Values that a column of another type would change without a word: 12.75 as a whole number, a time as a date. Rows of a
   model that has a layer are not stored so. #}

{% macro loses_in_silence(from_type, to_type) -%}
  {%- set from = from_type | upper -%}
  {%- set to = to_type | upper -%}
  {%- set has_parts = from in ['FLOAT', 'DOUBLE', 'VARCHAR'] or from.startswith('DECIMAL(') -%}
  {%- if to in ['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT', 'UTINYINT', 'USMALLINT', 'UINTEGER', 'UBIGINT'] -%}
    {{ return(has_parts) }}
  {%- elif to.startswith('DECIMAL(') -%}{{ return(has_parts and not widens(from, to)) }}
  {%- elif to == 'FLOAT' -%}{{ return(from in ['DOUBLE', 'VARCHAR']) }}
  {%- elif to == 'DATE' -%}{{ return(from.startswith('TIMESTAMP') or from == 'VARCHAR') }}
  {%- endif -%}
  {{ return(false) }}
{%- endmacro %}

{# Refuses rows of which a value would not be the same in the table. #}
{% macro refuse_loss(rows_relation, target_relation) -%}
  {%- set types = column_types(target_relation) -%}
  {%- for column in adapter.get_columns_in_relation(rows_relation) if column.name in types and loses_in_silence(plain_type(column), types[column.name]) -%}
    {%- set stored = 'try_cast(' ~ column.quoted ~ ' as ' ~ types[column.name] ~ ')' -%}
    {%- set lost = run_query(
      'select cast(' ~ column.quoted ~ ' as varchar), coalesce(cast(' ~ stored ~ " as varchar), 'null') from " ~ rows_relation ~ ' where ' ~ column.quoted
      ~ ' is not null and cast(' ~ stored ~ ' as ' ~ plain_type(column) ~ ') is distinct from ' ~ column.quoted ~ ' limit 1'
    ) -%}
    {%- if lost | length -%}
      {%- do exceptions.refuse(
        'lossy-type', '`' ~ column.name ~ '` of `' ~ model.name ~ '` is ' ~ types[column.name] ~ ', and ' ~ lost[0][0] ~ ' would be stored as ' ~ lost[0][1],
        'cast it in the query, let the table follow with `on_schema_change: sync_all_columns`, or build it anew with `--full-refresh`'
      ) -%}
    {%- endif -%}
  {%- endfor -%}
{%- endmacro %}
