with paid as (
  select invoice_id, sum(amount) as paid from {{ ref('payments') }}
  where paid_on <= date '{{ var("as_of") }}' group by invoice_id
),
open as (
  select invoice_id, customer_id, amount - coalesce(paid, 0) as open_amount, date '{{ var("as_of") }}' - due_on as days_late
  from {{ ref('invoices') }} left join paid using (invoice_id)
  where issued_on <= date '{{ var("as_of") }}'
)
select
  customer_id,
  case
    when days_late <= 0 then 'not due' when days_late <= 30 then '1-30 days'
    when days_late <= 60 then '31-60 days' else 'over 60 days'
  end as bucket,
  count(*)::integer as invoices,
  sum(open_amount)::decimal(12, 2) as open_amount
from open
where open_amount > 0
group by all
