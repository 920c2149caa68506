with landed as (
    select * from {{ ref('bronze_airports') }}
    union all
    select * from {{ ref('bronze_airport_additions') }}
)

select
    faa as airport_code,
    trim(name) as airport_name,
    {{ landed('lat', 'double') }} as latitude,
    {{ landed('lon', 'double') }} as longitude,
    {{ landed('alt', 'integer') }} as altitude_feet,
    {{ landed('tz', 'integer') }} as utc_offset_hours,
    {{ landed('tzone', 'varchar') }} as time_zone
from landed
