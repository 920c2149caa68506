{# External models: tables that are files. #}

{# For projects that call it in `on-run-start`: upstream files are found without it. #}
{% macro register_upstream_external_models() -%}{%- endmacro %}
