with orders as (
  select customer_id, count(*) as orders, sum(amount) as ordered
  from {{ ref('orders') }} where status <> 'cancelled' group by customer_id
),
plans as (
  select customer_id, plan, monthly from {{ ref('subscriptions_history') }} where is_current
),
open_invoices as (
  select customer_id, sum(open_amount) as open_amount from {{ ref('ar_aging') }} group by customer_id
),
moves as (
  select customer_id, count(*) - 1 as changes from {{ ref('customers_history') }} group by customer_id
)
select
  customers.customer_id,
  customers.company,
  customers.country,
  {{ medal.mask('customers.email') }} as email_hash,
  coalesce(orders.orders, 0)::integer as orders,
  coalesce(orders.ordered, 0)::decimal(12, 2) as ordered,
  plans.plan,
  coalesce(plans.monthly, 0)::decimal(12, 2) as monthly,
  coalesce(open_invoices.open_amount, 0)::decimal(12, 2) as open_amount,
  coalesce(moves.changes, 0)::integer as changes
from {{ ref('customers') }} as customers
left join orders using (customer_id)
left join plans using (customer_id)
left join open_invoices using (customer_id)
left join moves using (customer_id)
