with first_month as (
  select customer_id, min(date_trunc('month', issued_on)) as cohort from {{ ref('invoices') }} group by customer_id
)
select
  cohort::date as cohort,
  date_diff('month', cohort, date_trunc('month', issued_on))::integer as months_later,
  count(distinct customer_id)::integer as customers,
  sum(amount)::decimal(12, 2) as revenue
from {{ ref('invoices') }} join first_month using (customer_id)
group by all
