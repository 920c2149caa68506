with explained as (
    select
        flights.carrier_code,
        flights.departure_delay,
        case
            when circumstances.weather_class not in ('fair', 'unknown') then 'bad weather'
            when circumstances.part_of_day = 'evening' then 'evening knock-on'
            else 'carrier and other'
        end as reason
    from {{ ref('flights') }} as flights
    inner join {{ ref('flight_circumstances') }} as circumstances
        on flights.flight_id = circumstances.flight_id
    where flights.status <> 'cancelled'
),

counted as (
    select
        carrier_code,
        reason,
        count(*) as departed_flights,
        count(*) filter (where {{ is_late('departure_delay') }}) as late_flights,
        {{ percent(is_late('departure_delay')) }} as late_percent
    from explained
    group by carrier_code, reason
)

select
    concat_ws(': ', counted.carrier_code, counted.reason) as carrier_reason,
    carriers.carrier_name,
    counted.*,
    round(100.0 * late_flights / nullif(sum(late_flights) over (partition by counted.carrier_code), 0), 1)
        as percent_of_late_flights
from counted
inner join {{ ref('carriers') }} as carriers
    on counted.carrier_code = carriers.carrier_code
