-- The customers as they are now.
{{ config(materialized='cdc', unique_key='customer_id') }}
select * from {{ ref('bronze_customers') }}
