select
    carrier as carrier_code,
    trim(name) as carrier_name
from {{ ref('bronze_airlines') }}
