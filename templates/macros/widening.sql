{# Which types hold every value of another type, so that a column may change to them and nothing is lost. #}

{% macro widens(from_type, to_type) -%}
  {%- set whole = ['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT'] -%}
  {%- set from = from_type | upper -%}
  {%- set to = to_type | upper -%}
  {%- if from == to -%}{{ return(true) }}{%- endif -%}
  {%- if from in whole and to in whole -%}{{ return(whole.index(from) < whole.index(to)) }}{%- endif -%}
  {%- if from == 'FLOAT' and to == 'DOUBLE' -%}{{ return(true) }}{%- endif -%}
  {%- if from in ['TINYINT', 'SMALLINT', 'INTEGER'] and to == 'DOUBLE' -%}{{ return(true) }}{%- endif -%}
  {%- if from.startswith('DECIMAL(') and to.startswith('DECIMAL(') -%}
    {%- set old = from[8:-1].split(',') -%}
    {%- set new = to[8:-1].split(',') -%}
    {{ return(new[1] | int >= old[1] | int and new[0] | int - new[1] | int >= old[0] | int - old[1] | int) }}
  {%- endif -%}
  {{ return(false) }}
{%- endmacro %}
