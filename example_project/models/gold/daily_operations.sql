with daily as (
    select
        flights.flight_date,
        {{ departure_measures() }},
        {{ percent("(circumstances.weather_class not in ('fair', 'unknown'))") }} as bad_weather_percent
    from {{ ref('flights') }} as flights
    inner join {{ ref('flight_circumstances') }} as circumstances
        on flights.flight_id = circumstances.flight_id
    group by flights.flight_date
)

select
    *,
    round(
        avg(late_percent) over (order by flight_date rows between 6 preceding and current row),
        1
    ) as late_percent_7_days
from daily
