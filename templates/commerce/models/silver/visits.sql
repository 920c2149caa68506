{{ config(sequence_by=['happened_at', '_source_file', '_source_row']) }}
select event_id, visitor, step, happened_at::timestamp as happened_at, _source_file, _source_row
from {{ ref('bronze_visits') }}
