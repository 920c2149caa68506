{# A data test: one row with the number of failures. With `store_failures` the failing rows are kept and counted. #}
{% materialization test, default %}
  {%- set sql_header = config.get('sql_header') if flags.REQUIRE_SQL_HEADER_IN_TEST_CONFIGS else none -%}
  {%- set relations = [] -%}
  {%- set failing_rows = get_limit_subquery_sql(sql, config.get('limit')) -%}

  {%- if should_store_failures() -%}
    {%- set target_relation = store_test_failures(veiled(failing_rows, personal), sql_header) -%}
    {%- do relations.append(target_relation) -%}
    {%- set failing_rows = failing_rows if personal else 'select * from ' ~ target_relation -%}
  {%- endif -%}

  {%- call statement('main', fetch_result=true, auto_begin=false) -%}
    {{ sql_header or '' }}
    {{ get_test_sql(failing_rows, config.get('fail_calc'), config.get('warn_if'), config.get('error_if'), limit=none) }}
  {%- endcall -%}

  {{ return({'relations': relations}) }}
{% endmaterialization %}

{# A query whose personal columns say no more than whether there is a value: `personal` has names in lower case, or `*`. #}
{% macro veiled(sql, personal) -%}
  {%- if not personal -%}{{ return(sql) }}{%- endif -%}
  {%- set parts = [] -%}
  {%- for column in adapter.get_column_schema_from_query(sql) -%}
    {%- set is_hidden = '*' in personal or column.name | lower in personal -%}
    {%- do parts.append(veiled_column(column.quoted) if is_hidden else column.quoted) -%}
  {%- endfor -%}
  {{ return('select ' ~ parts | join(', ') ~ ' from (' ~ sql ~ ') as found') }}
{%- endmacro %}

{% macro veiled_column(quoted) -%}{{ return('case when ' ~ quoted ~ " is not null then '***' end as " ~ quoted) }}{%- endmacro %}

{% macro store_test_failures(failing_rows, sql_header=none) -%}
  {%- set kept_as = config.get('store_failures_as') or 'table' -%}
  {%- if kept_as not in ['table', 'view'] -%}
    {%- do exceptions.raise_compiler_error("`store_failures_as` is table, view or ephemeral, not " ~ kept_as) -%}
  {%- endif -%}
  {%- set target_relation = api.Relation.create(database=database, schema=schema, identifier=model['alias'], type=kept_as) -%}
  {%- call statement('store_failures') -%}
    {{ sql_header or '' }}
    {{ get_replace_sql(load_cached_relation(target_relation), target_relation, failing_rows) }}
  {%- endcall -%}
  {%- do adapter.commit() -%}
  {{ return(target_relation) }}
{%- endmacro %}
