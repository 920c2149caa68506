-- Each invoice once. An invoice that came again is dropped, one that cannot be right is in quarantine.
{{ config(sequence_by=['_ingested_at', '_source_file', '_source_row']) }}
select invoice_id, customer_id, issued_on, due_on, amount::decimal(12, 2) as amount, _ingested_at, _source_file, _source_row
from {{ ref('bronze_invoices') }}
