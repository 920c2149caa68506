with weeks as (
  select distinct visitor, date_trunc('week', happened_at)::date as week from {{ ref('visits') }}
),
first_week as (
  select visitor, min(week) as cohort from weeks group by visitor
)
select cohort, ((week - cohort) // 7)::integer as weeks_later, count(*)::integer as visitors
from weeks join first_week using (visitor)
group by all
