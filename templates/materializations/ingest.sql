{# A model that keeps what has landed: the records of files that are not ingested yet are added, with where they came
   from. The rows, the quarantine and the ledger of files are one transaction. #}
{% materialization ingest, default %}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- set relations = [target_relation] -%}
  {%- if existing_relation is not none and existing_relation.type != 'table' -%}
    {%- do exceptions.relation_wrong_type(existing_relation, 'table') -%}
  {%- elif existing_relation is not none and should_full_refresh() -%}
    {%- do exceptions.refuse(
      'history-loss', '`' ~ model.name ~ '` keeps what was received, and --full-refresh would forget it',
      'set `full_refresh: false` in its config; if every file is still there, drop the table to ingest them anew'
    ) -%}
  {%- endif -%}
  {%- set settings = adapter.ingest_settings() -%}

  {%- do run_hooks(pre_hooks, inside_transaction=false) -%}
  {#- A file that cannot be read would end a transaction, so all is read before one begins. -#}
  {%- set landed = land(settings, is_anew=existing_relation is none) -%}
  {%- do run_hooks(pre_hooks, inside_transaction=true) -%}

  {%- do append_landed(existing_relation, target_relation, landed) -%}
  {%- if landed.bad_rows -%}{%- do relations.append(quarantine_landed(target_relation, landed)) -%}{%- endif -%}
  {%- do record_landed(settings, landed, is_anew=existing_relation is none) -%}

  {%- do apply_grants(target_relation, config.get('grants'), should_revoke(existing_relation, full_refresh_mode=false)) -%}
  {%- do persist_docs(target_relation, model) -%}
  {%- do run_hooks(post_hooks, inside_transaction=true) -%}
  {%- do adapter.commit() -%}
  {%- do run_hooks(post_hooks, inside_transaction=false) -%}
  {%- do forget_landed() -%}

  {{ return({'relations': relations}) }}
{% endmaterialization %}
