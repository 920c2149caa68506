with matched as (
    select
        flights.flight_id,
        flights.scheduled_hour,
        weather.weather_class,
        extract(year from flights.flight_date) - aircraft.built_year as aircraft_age,
        count(*) over (partition by flights.origin_code, flights.scheduled_hour_utc) as departures_in_hour
    from {{ ref('flights') }} as flights
    left join {{ ref('weather') }} as weather
        on flights.origin_code = weather.airport_code
        and flights.scheduled_hour_utc = weather.hour_utc
    left join {{ ref('aircraft') }} as aircraft
        on flights.tail_number = aircraft.tail_number
)

select
    flight_id,
    coalesce(weather_class, 'unknown') as weather_class,
    aircraft_age,
    case
        when aircraft_age is null then 'unknown'
        when aircraft_age < 5 then '0-4 years'
        when aircraft_age < 10 then '5-9 years'
        when aircraft_age < 15 then '10-14 years'
        when aircraft_age < 20 then '15-19 years'
        else '20 years and more'
    end as aircraft_age_band,
    case
        when scheduled_hour < 9 then 'early'
        when scheduled_hour < 12 then 'morning'
        when scheduled_hour < 16 then 'afternoon'
        else 'evening'
    end as part_of_day,
    departures_in_hour
from matched
