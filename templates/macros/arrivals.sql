{# What has arrived since a microbatch model was published: of inputs with `_batch_id`, the rows of runs that are not
   written down. Gives the batches of event time that they touch, and the runs. #}
{% macro arrived_since(inputs, batch_size, is_anew) -%}
  {%- set touched = [] -%}
  {%- set runs = [] -%}
  {%- for input in inputs -%}
    {%- set relation = adapter.get_relation(input['database'], input['schema'], input['identifier']) -%}
    {%- if relation is not none and '_batch_id' in adapter.get_columns_in_relation(relation) | map(attribute='name') -%}
      {%- set rows = run_query(adapter.dispatch('arrivals', 'dbt')(relation, input['event_time'], batch_size, is_anew)) -%}
      {%- for row in rows -%}
        {%- do runs.append(row[0]) if row[0] not in runs -%}
        {%- do touched.append(row[1]) if row[1] and row[1] not in touched -%}
      {%- endfor -%}
    {%- endif -%}
  {%- endfor -%}
  {{ return({'touched': touched, 'batches': tojson(runs)}) }}
{%- endmacro %}

{# The run in which each new row has arrived, and the start of its batch in UTC. #}
{% macro default__arrivals(relation, event_time, batch_size, is_anew) -%}
  select distinct _batch_id, strftime(date_trunc('{{ batch_size }}', cast({{ event_time }} as timestamp)), '%Y-%m-%d %H:%M:%S')
  from {{ relation }}
  where _batch_id is not null {%- if not is_anew %} and _batch_id not in ({{ cdc_applied() }}){% endif %}
{%- endmacro %}

{% macro record_arrived(arrived) -%}
  {%- do add_to_ledger('watermarks', {'mode': arrived['mode'], 'source_versions_json': arrived['batches']}) -%}
{%- endmacro %}
