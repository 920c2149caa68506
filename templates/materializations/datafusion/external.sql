{# As on DuckDB: a model as a file, and a view that reads it. #}
{% materialization external, adapter='datafusion' %}
  {{ return(materialization_external_duckdb()) }}
{% endmaterialization %}
