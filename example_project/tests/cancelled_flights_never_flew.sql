-- A cancelled flight has no delay at arrival and no time in the air.
select flight_id
from {{ ref('flights') }}
where status = 'cancelled'
    and (arrival_delay is not null or air_minutes is not null)
