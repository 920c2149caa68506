-- Each state that an order was in.
{{ config(materialized='cdc', unique_key='order_id', scd=2) }}
select * from {{ ref('bronze_orders') }}
