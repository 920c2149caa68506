with measured as (
    select
        origin_code,
        destination_code,
        {{ departure_measures() }},
        {{ percent(is_late('arrival_delay')) }} as late_arrival_percent,
        round(avg(arrival_delay), 1) as mean_arrival_delay
    from {{ ref('flights') }}
    group by origin_code, destination_code
    having count(*) >= {{ var('route_minimum_flights') }}
)

select
    rank() over (order by measured.mean_arrival_delay desc, measured.origin_code, measured.destination_code)
        as delay_rank,
    concat_ws('-', measured.origin_code, measured.destination_code) as route,
    airports.airport_name as destination_name,
    measured.*
from measured
inner join {{ ref('airports') }} as airports
    on measured.destination_code = airports.airport_code
