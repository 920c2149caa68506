with months as (
  select unnest(generate_series(date '2026-01-31', date '{{ var("as_of") }}', interval 1 month))::date as month
),
of_month as (
  select last_day(month) as month, customer_id, monthly
  from months
  join {{ ref('subscriptions_history') }}
    on valid_from <= last_day(month) and (valid_to is null or valid_to > last_day(month))
),
with_before as (
  select
    coalesce(now.month, last_day(before.month + interval 1 month)) as month,
    coalesce(now.monthly, 0) as monthly,
    coalesce(before.monthly, 0) as monthly_before
  from of_month as now
  full join of_month as before
    on now.customer_id = before.customer_id and now.month = last_day(before.month + interval 1 month)
)
select
  month::date as month,
  sum(monthly)::decimal(12, 2) as mrr,
  (12 * sum(monthly))::decimal(12, 2) as arr,
  coalesce(sum(monthly) filter (where monthly_before = 0), 0)::decimal(12, 2) as new_mrr,
  coalesce(sum(monthly_before) filter (where monthly = 0), 0)::decimal(12, 2) as lost_mrr
from with_before
where month <= date '{{ var("as_of") }}'
group by month
