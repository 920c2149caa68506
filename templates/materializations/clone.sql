{# A relation of another run as a view that points to it. What is here already stays, unless all is to be made anew. #}
{% materialization clone, default %}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set target_relation = this.incorporate(type='view') -%}
  {%- if not defer_relation -%}
    {%- do log('The other run does not have ' ~ model.unique_id, info=true) -%}
    {{ return({'relations': []}) }}
  {%- endif -%}
  {%- if existing_relation and not flags.FULL_REFRESH -%}
    {%- do log(existing_relation ~ ' is here already', info=true) -%}
    {{ return({'relations': []}) }}
  {%- endif -%}

  {%- call statement('main') -%}{{ get_replace_sql(existing_relation, target_relation, sql) }}{%- endcall -%}
  {%- do persist_docs(target_relation, model) -%}
  {%- do adapter.commit() -%}

  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
