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
