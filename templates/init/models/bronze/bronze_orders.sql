-- Bronze keeps what was received: a projection of one source, nothing else.
select * from {{ ref('raw_orders') }}
