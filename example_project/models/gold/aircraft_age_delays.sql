select
    circumstances.aircraft_age_band,
    count(distinct flights.tail_number) as aircraft,
    {{ departure_measures() }}
from {{ ref('flights') }} as flights
inner join {{ ref('flight_circumstances') }} as circumstances
    on flights.flight_id = circumstances.flight_id
where circumstances.aircraft_age_band <> 'unknown'
group by circumstances.aircraft_age_band
