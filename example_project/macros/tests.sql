{# Fails for values outside the bounds, both of which count as inside; null is neither. #}
{% test in_range(model, column_name, min=none, max=none) %}
select {{ column_name }}
from {{ model }}
where false
{%- if min is not none %} or {{ column_name }} < {{ min }}{% endif %}
{%- if max is not none %} or {{ column_name }} > {{ max }}{% endif %}
{% endtest %}

{# Fails for combinations of columns that occur more than once. #}
{% test unique_together(model, columns) %}
select {{ columns | join(', ') }}, count(*) as occurrences
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
