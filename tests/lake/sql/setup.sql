create table orders as
select * from (values
    (1, 'alice', date '2024-01-15', timestamp '2024-01-15 10:30:00', 12.50::decimal(10,2), 3, true),
    (2, 'bob', date '2024-01-31', timestamp '2024-01-31 23:59:59.25', 7.25::decimal(10,2), 1, false),
    (3, 'alice', date '2024-02-29', timestamp '2024-02-29 00:00:00', 100.00::decimal(10,2), 10, true),
    (4, 'carol', date '2023-12-31', timestamp '2023-12-31 12:00:00', 0.05::decimal(10,2), null, null),
    (5, null, null, null, null, 2, false),
    (6, 'Bob', date '2024-02-01', timestamp '2024-02-01 08:15:30', -3.75::decimal(10,2), -4, true)
) as t(id, customer, ordered_on, ordered_at, amount, quantity, paid);
create table customers as
select * from (values
    ('alice', 'Alice Ärmel', 'a.aermel@example.org', 'gold'),
    ('bob', 'Bob  Stone', 'bob@example.com', null),
    ('dave', '', 'dave(at)example.net', 'silver')
) as t(customer, full_name, email, tier);
create table numbers as
select * from (values
    (1::tinyint, 10::smallint, 100, 1000::bigint, 1.5::double, 2.5::decimal(5,2), 1.25::real),
    (-2::tinyint, -20::smallint, -200, -2000::bigint, -2.5::double, -3.14::decimal(5,2), -0.5::real),
    (3::tinyint, 0::smallint, 2147483647, 9223372036854775807::bigint, 0.1::double, 0.00::decimal(5,2), 3.0::real),
    (null, null, null, null, null, null, null)
) as t(t, s, i, b, d, n, r);
create table documents as
select * from (values
    (1, '{"name": "duck", "size": {"h": 1.5, "w": 2}, "tags": ["a", "b"], "ok": true, "none": null}'),
    (2, '{"name": "goose", "size": {"h": 10}, "tags": []}'),
    (3, null)
) as t(id, body);
create table codes as
select * from (values ('1.5'), (' 42 '), ('1e2'), ('-7.5'), ('abc'), (''), (null)) as t(code);
create table lists as
select 1 as id, [3, 1, 2] as xs, ['a', 'b'] as words
union all select 2, [5], ['c', null]
union all select 3, null, [];
