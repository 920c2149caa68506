-- Each invoice once. An invoice that came again is dropped, one that cannot be right is in quarantine: also one whose amount is
-- no number, which makes the column of bronze a text if it is among the first to land.
{{ config(sequence_by=['_ingested_at', '_source_file', '_source_row']) }}
select invoice_id, customer_id, issued_on, due_on, try_cast(amount as decimal(12, 2)) as amount, _ingested_at, _source_file, _source_row
from {{ ref('bronze_invoices') }}
