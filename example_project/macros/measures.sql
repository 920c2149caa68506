{# Whether a delay in minutes counts as late; null where there is no delay to judge. #}
{% macro is_late(delay) -%}
    ({{ delay }} >= {{ var('late_after_minutes') }})
{%- endmacro %}

{# The rows of a group that meet a condition, in percent of those for which the condition can be told. #}
{% macro percent(condition) -%}
    round(100.0 * avg(case when {{ condition }} then 1 when not {{ condition }} then 0 end), 1)
{%- endmacro %}

{# The columns that most marts share: volume, cancellations and lateness at departure. #}
{% macro departure_measures() -%}
    count(*) as scheduled_flights,
    count(*) filter (where status = 'cancelled') as cancelled_flights,
    {{ percent("(status = 'cancelled')") }} as cancelled_percent,
    {{ percent(is_late('departure_delay')) }} as late_percent,
    round(avg(departure_delay), 1) as mean_departure_delay
{%- endmacro %}
