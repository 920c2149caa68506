{{ config(materialized='incremental', unique_key='id', partition_by='kind') }}
select id, kind, amount from {{ ref('events') }}
{% if is_incremental() %} where id > 1 {% endif %}
