{# A unit test: what a model's query gives from fixtures, beside what is expected. #}
{% materialization unit, default %}
  {%- set types = {} -%}
  {%- set quoted = {} -%}
  {%- for column in get_column_schema_from_query(sql) -%}
    {%- do types.update({column.name | lower: column.data_type}) -%}
    {%- do quoted.update({column.name | lower: column.quoted}) -%}
  {%- endfor -%}

  {%- set expected_rows = config.get('expected_rows') -%}
  {%- set names = [] -%}
  {%- for row in expected_rows or [types] -%}
    {%- for name in row if quoted[name | lower] not in names -%}{%- do names.append(quoted[name | lower]) -%}{%- endfor -%}
  {%- endfor -%}
  {%- set expected_sql = config.get('expected_sql') or get_expected_sql(expected_rows, types, quoted) -%}

  {%- call statement('main', fetch_result=true, auto_begin=false) -%}
    {{ get_unit_test_sql(sql, expected_sql, names) }}
  {%- endcall -%}

  {{ return({'relations': []}) }}
{% endmaterialization %}
