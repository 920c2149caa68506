with measured as (
    select
        carrier_code,
        {{ departure_measures() }},
        median(departure_delay) as median_departure_delay,
        round(quantile_cont(departure_delay, 0.9), 1) as p90_departure_delay,
        round(avg(departure_delay - arrival_delay), 1) as mean_minutes_recovered
    from {{ ref('flights') }}
    group by carrier_code
)

select
    rank() over (order by measured.late_percent, measured.carrier_code) as punctuality_rank,
    carriers.carrier_name,
    measured.*
from measured
inner join {{ ref('carriers') }} as carriers
    on measured.carrier_code = carriers.carrier_code
