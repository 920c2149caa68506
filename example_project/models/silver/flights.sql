{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='flight_id') }}

with typed as (
    select
        make_date(
            {{ landed('year', 'integer') }},
            {{ landed('month', 'integer') }},
            {{ landed('day', 'integer') }}
        ) as flight_date,
        carrier as carrier_code,
        {{ landed('flight', 'integer') }} as flight_number,
        {{ landed('tailnum', 'varchar') }} as tail_number,
        origin as origin_code,
        dest as destination_code,
        {{ landed('hour', 'integer') }} as scheduled_hour,
        {{ landed('minute', 'integer') }} as scheduled_minute,
        {{ landed('time_hour', 'timestamp') }} as scheduled_hour_utc,
        {{ landed('dep_delay', 'integer') }} as departure_delay,
        {{ landed('arr_delay', 'integer') }} as arrival_delay,
        {{ landed('air_time', 'integer') }} as air_minutes,
        {{ landed('distance', 'integer') }} as distance_miles
    from {{ ref('bronze_flights') }}
)

select
    concat_ws('-', strftime(flight_date, '%Y%m%d'), carrier_code, flight_number, origin_code) as flight_id,
    flight_date,
    carrier_code,
    flight_number,
    tail_number,
    origin_code,
    destination_code,
    flight_date + to_hours(scheduled_hour) + to_minutes(scheduled_minute) as scheduled_departure,
    scheduled_hour,
    scheduled_hour_utc,
    departure_delay,
    arrival_delay,
    air_minutes,
    distance_miles,
    case
        when departure_delay is null then 'cancelled'
        when arrival_delay is null then 'diverted'
        else 'arrived'
    end as status
from typed
{% if is_incremental() %}
-- The newest days may have been landed before they were over.
where flight_date > (select max(flight_date) - {{ var('reload_days') }} from {{ this }})
{% endif %}
