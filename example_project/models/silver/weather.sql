with typed as (
    select
        origin as airport_code,
        {{ landed('time_hour', 'timestamp') }} as hour_utc,
        {{ landed('temp', 'double') }} as temperature_f,
        {{ landed('humid', 'double') }} as humidity_percent,
        round({{ landed('wind_speed', 'double') }}, 1) as wind_mph,
        round({{ landed('wind_gust', 'double') }}, 1) as gust_mph,
        {{ landed('precip', 'double') }} as precipitation_inches,
        {{ landed('pressure', 'double') }} as pressure_millibars,
        {{ landed('visib', 'double') }} as visibility_miles
    from {{ ref('bronze_weather') }}
)

select
    concat_ws('-', airport_code, strftime(hour_utc, '%Y%m%d%H')) as weather_id,
    *,
    case
        when visibility_miles < 3 then 'low visibility'
        when wind_mph >= 20 or gust_mph >= 35 then 'strong wind'
        when precipitation_inches > 0 then 'rain or snow'
        else 'fair'
    end as weather_class
from typed
