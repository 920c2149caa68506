with measured as (
    select
        circumstances.weather_class,
        {{ departure_measures() }}
    from {{ ref('flights') }} as flights
    inner join {{ ref('flight_circumstances') }} as circumstances
        on flights.flight_id = circumstances.flight_id
    where circumstances.weather_class <> 'unknown'
    group by circumstances.weather_class
)

select
    *,
    round(
        mean_departure_delay - max(mean_departure_delay) filter (where weather_class = 'fair') over (),
        1
    ) as minutes_over_fair_weather
from measured
