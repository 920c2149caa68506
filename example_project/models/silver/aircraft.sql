select
    tailnum as tail_number,
    {{ landed('year', 'integer') }} as built_year,
    type as aircraft_type,
    -- The registry writes one maker in several ways.
    case
        when manufacturer like 'AIRBUS%' then 'AIRBUS'
        when manufacturer like 'MCDONNELL DOUGLAS%' then 'MCDONNELL DOUGLAS'
        when manufacturer like 'BOMBARDIER%' then 'BOMBARDIER'
        else manufacturer
    end as manufacturer,
    model,
    {{ landed('engines', 'integer') }} as engine_count,
    engine as engine_type,
    {{ landed('seats', 'integer') }} as seats
from {{ ref('bronze_planes') }}
