with reached as (
  select visitor, max(case step when 'visit' then 1 when 'trial' then 2 when 'order' then 3 end) as furthest
  from {{ ref('visits') }} group by visitor
),
steps as (
  select * from (values (1, 'visit'), (2, 'trial'), (3, 'order')) as steps(place, step)
)
select
  place::integer as place,
  step,
  count(*)::integer as visitors,
  (100 * count(*) / first_value(count(*)) over (order by place))::integer as percent
from steps join reached on furthest >= place
group by place, step
