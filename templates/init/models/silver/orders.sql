-- Silver is clean and keyed.
select
    order_id::integer as order_id,
    customer,
    ordered_on::date as ordered_on,
    amount::decimal(12, 2) as amount
from {{ ref('bronze_orders') }}
