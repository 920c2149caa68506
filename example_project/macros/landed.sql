{# A landed text as a value of a type: `NA` is how the source writes an absent value, and any other misfit is an error. #}
{% macro landed(column, type) -%}
    cast(nullif(trim({{ column }}), 'NA') as {{ type }})
{%- endmacro %}
