{# A model as a function that gives a table. `parameters` names its arguments, as a text or a list. #}
{% materialization table_function, adapter='duckdb' %}
  {%- set target_relation = this.incorporate(type='view') -%}
  {%- set parameters = config.get('parameters') or [] -%}

  {%- do run_hooks(pre_hooks, inside_transaction=false) -%}
  {%- do run_hooks(pre_hooks, inside_transaction=true) -%}

  {%- call statement('main') -%}
    create or replace function {{ target_relation }}(
      {{- parameters if parameters is string or parameters is number else parameters | join(', ') -}}
    ) as table (
      {{ sql }}
    )
  {%- endcall -%}

  {%- do run_hooks(post_hooks, inside_transaction=true) -%}
  {%- do persist_docs(target_relation, model) -%}
  {%- do adapter.commit() -%}
  {%- do run_hooks(post_hooks, inside_transaction=false) -%}

  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
