-- The ten hours of the month in which most passengers would rather have taken the train.
select
    origin_code,
    date_trunc('hour', scheduled_departure) as departure_hour,
    {{ departure_measures() }}
from {{ ref('flights') }}
group by 1, 2
having count(*) >= 10
order by mean_departure_delay desc nulls last
limit 10
