{# A model that keeps the state, or the history, of things of which its query gives the changes. Its rows are a function
   of the set of events: not of the order in which they come, nor of how often. #}
{% materialization cdc, default %}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- set tombstones = cdc_tombstones(target_relation) -%}
  {%- set relations = [target_relation, tombstones] -%}
  {%- if existing_relation is not none and existing_relation.type != 'table' -%}
    {%- do exceptions.relation_wrong_type(existing_relation, 'table') -%}
  {%- endif -%}
  {%- set is_anew = existing_relation is none or should_full_refresh() -%}
  {%- set settings = adapter.cdc_settings() -%}

  {%- do run_hooks(pre_hooks, inside_transaction=false) -%}
  {%- do run_hooks(pre_hooks, inside_transaction=true) -%}

  {%- set counts = {'mode': 'full' if is_anew else 'incremental'} -%}
  {%- set payload = stage_events(settings, sql, is_anew, counts) -%}
  {%- set quarantine = hold_back_events(settings, target_relation, is_anew, counts) -%}
  {%- if quarantine -%}{%- do relations.append(quarantine) -%}{%- endif -%}
  {%- do make_cdc_tables(settings, target_relation, tombstones, payload, is_anew) -%}
  {%- do count_ties(settings) -%}
  {%- if settings['scd'] == 1 -%}
    {%- do apply_scd1(settings, target_relation, tombstones, payload, counts) -%}
  {%- else -%}
    {%- do apply_scd2(settings, target_relation, tombstones, payload, counts) -%}
  {%- endif -%}

  {%- do apply_grants(target_relation, config.get('grants'), should_revoke(existing_relation, is_anew)) -%}
  {%- do persist_docs(target_relation, model) -%}
  {%- do run_hooks(post_hooks, inside_transaction=true) -%}
  {%- if quarantine -%}{%- do settle_events(quarantine) -%}{%- endif -%}
  {%- do balance_events(counts) -%}
  {%- set batches = counts.pop('batches') -%}
  {%- do record_in_ledger(counts) -%}
  {%- do record_watermark(settings, is_anew, counts, batches) -%}
  {%- do drop_cdc_tables(settings) -%}
  {%- do adapter.commit() -%}
  {%- do run_hooks(post_hooks, inside_transaction=false) -%}

  {{ return({'relations': relations}) }}
{% endmaterialization %}
