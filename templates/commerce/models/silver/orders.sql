-- The orders as they are now.
{{ config(materialized='cdc', unique_key='order_id') }}
select * from {{ ref('bronze_orders') }}
