select payment_id, invoice_id, paid_on, amount::decimal(12, 2) as amount, _source_file
from {{ ref('bronze_payments') }}
