{# A model as a table, built anew by each run. #}
{% materialization table, default %}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set target_relation = this.incorporate(type='table') -%}

  {%- do run_hooks(pre_hooks, inside_transaction=false) -%}
  {%- do run_hooks(pre_hooks, inside_transaction=true) -%}

  {%- set kept = make_way(existing_relation) -%}
  {%- set sifted = build_sifted(existing_relation, target_relation, sql) -%}
  {%- do come_back(kept) -%}
  {%- do create_indexes(target_relation) -%}

  {%- do run_hooks(post_hooks, inside_transaction=true) -%}
  {%- do apply_grants(target_relation, config.get('grants'), should_revoke(existing_relation)) -%}
  {%- do persist_docs(target_relation, model) -%}
  {%- do adapter.commit() -%}
  {%- do run_hooks(post_hooks, inside_transaction=false) -%}

  {{ return({'relations': [target_relation], 'sifted': sifted}) }}
{% endmaterialization %}
