select * from {{ source('landing', 'payments') }}
