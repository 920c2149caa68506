{# Files land with DuckDB's readers, which a lakehouse has not. #}
{% materialization ingest, adapter='datafusion' %}
  {%- do exceptions.raise_compiler_error(
    '`ingest` reads files with DuckDB, and `' ~ target.name ~ '` is a lakehouse: read the files as a source with `external_location`, see docs/lakehouse.md'
  ) -%}
{% endmaterialization %}
