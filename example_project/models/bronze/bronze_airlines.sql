select
    carrier,
    name
from {{ ref('raw_airlines') }}
