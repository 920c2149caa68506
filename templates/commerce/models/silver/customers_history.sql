-- What was true of each customer, and from when until when.
{{ config(materialized='cdc', unique_key='customer_id', scd=2) }}
select * from {{ ref('bronze_customers') }}
