select * from {{ source('landing', 'subscriptions') }}
