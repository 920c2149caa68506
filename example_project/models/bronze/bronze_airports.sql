select
    faa,
    name,
    lat,
    lon,
    alt,
    tz,
    dst,
    tzone
from {{ ref('raw_airports') }}
