{# Incremental strategies of DuckDB; `delete+insert` is the default. #}

{% macro duckdb__get_incremental_default_sql(arg_dict) -%}
  {{ return(get_incremental_delete_insert_sql(arg_dict)) }}
{%- endmacro %}

{# A key that is a string may be an expression; predicates may name the target `DBT_INCREMENTAL_TARGET` when the key
   is a list. #}
{% macro duckdb__get_delete_insert_merge_sql(target, source, unique_key, dest_columns, incremental_predicates) -%}
  {%- set predicates -%}
    {%- for predicate in normalize_incremental_predicates(incremental_predicates) %} and {{ predicate }}{% endfor -%}
  {%- endset -%}
  {%- if unique_key is string and unique_key -%}
    delete from {{ target }}
    where ({{ unique_key }}) in (select ({{ unique_key }}) from {{ source }}){{ predicates }};
  {% elif unique_key -%}
    delete from {{ target }} as DBT_INCREMENTAL_TARGET
    using {{ source }}
    where {% for key in unique_key -%}
      {{ source }}.{{ key }} = DBT_INCREMENTAL_TARGET.{{ key }}{{ ' and ' if not loop.last }}
    {%- endfor %}{{ predicates }};
  {% endif -%}
  {{ get_insert_into_sql(target, source, dest_columns) }}
{%- endmacro %}
