{# The four data tests that every project has. Each gives the failing rows. #}

{% test not_null(model, column_name) -%}
  {{ return(adapter.dispatch('test_not_null', 'dbt')(model, column_name)) }}
{%- endtest %}

{% macro default__test_not_null(model, column_name) -%}
  select {{ '*' if should_store_failures() else column_name }}
  from {{ model }}
  where {{ column_name }} is null
{%- endmacro %}

{% test unique(model, column_name) -%}
  {{ return(adapter.dispatch('test_unique', 'dbt')(model, column_name)) }}
{%- endtest %}

{% macro default__test_unique(model, column_name) -%}
  select {{ column_name }} as unique_field, count(*) as n_records
  from {{ model }}
  where {{ column_name }} is not null
  group by {{ column_name }}
  having count(*) > 1
{%- endmacro %}

{% test accepted_values(model, column_name, values, quote=True) -%}
  {{ return(adapter.dispatch('test_accepted_values', 'dbt')(model, column_name, values, quote)) }}
{%- endtest %}

{# A quote within a value may be written once or, as SQL does, twice. #}
{% macro default__test_accepted_values(model, column_name, values, quote=True) -%}
  {%- set accepted = [] -%}
  {%- for value in values -%}
    {%- set text = value | string | replace("''", "'") -%}
    {%- do accepted.append(dbt.string_literal(dbt.escape_single_quotes(text)) if quote else value) -%}
  {%- endfor -%}
  select value_field, n_records
  from (
    select {{ column_name }} as value_field, count(*) as n_records
    from {{ model }}
    group by {{ column_name }}
  ) as all_values
  where value_field not in ({{ accepted | join(', ') }})
{%- endmacro %}

{% test relationships(model, column_name, to, field) -%}
  {{ return(adapter.dispatch('test_relationships', 'dbt')(model, column_name, to, field)) }}
{%- endtest %}

{% macro default__test_relationships(model, column_name, to, field) -%}
  select from_field
  from (select {{ column_name }} as from_field from {{ model }}) as child
  where from_field is not null
    and not exists (
      select 1
      from (select {{ field }} as to_field from {{ to }}) as parent
      where parent.to_field = child.from_field
    )
{%- endmacro %}
