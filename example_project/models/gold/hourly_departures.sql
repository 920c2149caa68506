select
    concat_ws('-', origin_code, lpad(cast(scheduled_hour as varchar), 2, '0')) as origin_hour,
    origin_code,
    scheduled_hour,
    {{ departure_measures() }},
    round(quantile_cont(departure_delay, 0.9), 1) as p90_departure_delay
from {{ ref('flights') }}
group by origin_code, scheduled_hour
