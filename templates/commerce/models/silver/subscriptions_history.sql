-- Which plan a customer had, and from when until when.
{{ config(materialized='cdc', unique_key='customer_id', sequence_by='changed_on', delete_when="op = 'D'", scd=2, columns={'except': ['op']}) }}
select * from {{ ref('bronze_subscriptions') }}
