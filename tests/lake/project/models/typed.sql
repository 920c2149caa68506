{{ config(materialized='table') }}
select
  id, happened_at, cast(happened_at as date) as day, kind,
  cast(amount as decimal(10, 2)) as amount, amount is null as is_free, [id, id + 1] as ids
from {{ ref('events') }}
