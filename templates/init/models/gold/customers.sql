-- Gold answers a question: who are our customers, and what are they worth?
select
    customer,
    count(*) as orders,
    min(ordered_on) as first_ordered_on,
    sum(amount) as amount
from {{ ref('orders') }}
group by customer
