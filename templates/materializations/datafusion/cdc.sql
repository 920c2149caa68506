{# What settles the order of events takes functions that a lakehouse has not. #}
{% materialization cdc, adapter='datafusion' %}
  {%- do exceptions.raise_compiler_error(
    '`cdc` is for DuckDB as yet, and `' ~ target.name ~ '` is a lakehouse: write an incremental model with `merge`, or a snapshot, see docs/lakehouse.md'
  ) -%}
{% endmaterialization %}
