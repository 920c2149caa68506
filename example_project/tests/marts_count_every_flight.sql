-- Each mart that covers all flights counts each of them once.
with expected as (
    select count(*) as flights from {{ ref('flights') }}
),

counted as (
    {% for mart in ['carrier_performance', 'daily_operations', 'hourly_departures'] -%}
    select '{{ mart }}' as mart, sum(scheduled_flights) as flights from {{ ref(mart) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select counted.mart, counted.flights, expected.flights as expected_flights
from counted
cross join expected
where counted.flights <> expected.flights
