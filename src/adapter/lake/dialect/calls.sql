-- Calls that DataFusion writes otherwise. What is on the right is DataFusion's SQL: it is not rewritten again.
-- FILTER, OVER, DISTINCT and ORDER BY of a call go to the aggregates on the right.

-- Text.
create macro array_length(x) as len(x);
create macro char_length(x) as len(x);
create macro character_length(x) as len(x);
create macro instr(x, y) as strpos(x, y);
create macro lcase(x) as lower(x);
create macro length(x) as len(x);
create macro levenshtein(x, y) as cast(levenshtein(x, y) as bigint);
create macro editdist3(x, y) as cast(levenshtein(x, y) as bigint);
create macro ord(x) as ascii(x);
create macro unicode(x) as ascii(x);
create macro position(x, y) as strpos(x, y);
create macro prefix(x, y) as starts_with(x, y);
create macro suffix(x, y) as ends_with(x, y);
create macro split(x, y) as string_split(x, y);
create macro str_split(x, y) as string_split(x, y);
create macro string_to_array(x, y) as string_split(x, y);
create macro string_split_regex(x, y) as regexp_split_to_array(x, y);
create macro substring(x, y) as substr(x, y);
create macro substring(x, y, z) as substr(x, y, z);
create macro ucase(x) as upper(x);
create macro trim(x, y) as btrim(x, y);
create macro to_hex(x) as upper(to_hex(x));
create macro hex(x) as upper(encode(x, 'hex'));
create macro uuid() as uuid();
create macro gen_random_uuid() as uuid();

-- Numbers.
create macro ceiling(x) as ceil(x);
create macro acos(x) as acos(cast(x as double));
create macro asin(x) as asin(cast(x as double));
create macro atan(x) as atan(cast(x as double));
create macro cbrt(x) as cbrt(cast(x as double));
create macro cos(x) as cos(cast(x as double));
create macro cot(x) as cot(cast(x as double));
create macro degrees(x) as degrees(cast(x as double));
create macro exp(x) as exp(cast(x as double));
create macro radians(x) as radians(cast(x as double));
create macro sin(x) as sin(cast(x as double));
create macro tan(x) as tan(cast(x as double));
create macro atan2(x, y) as atan2(cast(x as double), cast(y as double));
create macro fdiv(x, y) as floor(cast(x as double) / cast(y as double));
create macro fmod(x, y) as cast(x as double) % cast(y as double);
create macro add(x, y) as x + y;
create macro subtract(x, y) as x - y;
create macro multiply(x, y) as x * y;
create macro divide(x, y) as x // y;
create macro mod(x, y) as x % y;
create macro log(x) as log10(x);
create macro log(x, y) as log10(y) / log10(x);
create macro pow(x, y) as power(cast(x as double), cast(y as double));
create macro power(x, y) as power(cast(x as double), cast(y as double));
create macro gcd(x, y) as gcd(x, y);
create macro lcm(x, y) as lcm(x, y);

-- Conditions.
create macro if(x, y, z) as case when x then y else z end;
create macro ifnull(x, y) as coalesce(x, y);

-- Dates and times.
create macro current_date() as current_date();
create macro today() as current_date();
create macro current_timestamp() as medal_timestamp(now());
create macro now() as medal_timestamp(now());
create macro get_current_timestamp() as medal_timestamp(now());
create macro transaction_timestamp() as medal_timestamp(now());
create macro current_localtimestamp() as timezone('UTC', medal_timestamp(now()));
create macro localtimestamp() as timezone('UTC', medal_timestamp(now()));
create macro date_add(x, y) as x + y;
create macro date_trunc(x, y) as date_trunc(lower(x), medal_timestamp(y));
create macro datetrunc(x, y) as date_trunc(lower(x), medal_timestamp(y));
create macro datediff(x, y, z) as date_diff(x, y, z);
create macro datepart(x, y) as date_part(x, y);
create macro date(x) as medal_cast(x, cast(null as date));
create macro century(x) as date_part('century', x);
create macro day(x) as date_part('day', x);
create macro dayofmonth(x) as date_part('day', x);
create macro dayofweek(x) as date_part('dow', x);
create macro dayofyear(x) as date_part('doy', x);
create macro decade(x) as date_part('decade', x);
create macro epoch(x) as date_part('epoch', x);
create macro epoch_us(x) as date_part('epoch_us', x);
create macro epoch_ns(x) as date_part('epoch_us', x) * 1000;
create macro hour(x) as date_part('hour', x);
create macro julian(x) as date_part('julian', x);
create macro isodow(x) as date_part('isodow', x);
create macro isoyear(x) as date_part('isoyear', x);
create macro microsecond(x) as date_part('microsecond', x);
create macro millisecond(x) as date_part('millisecond', x);
create macro minute(x) as date_part('minute', x);
create macro month(x) as date_part('month', x);
create macro quarter(x) as date_part('quarter', x);
create macro second(x) as date_part('second', x);
create macro week(x) as date_part('week', x);
create macro weekday(x) as date_part('dow', x);
create macro weekofyear(x) as date_part('week', x);
create macro year(x) as date_part('year', x);
create macro yearweek(x) as date_part('yearweek', x);
create macro dayname(x) as strftime(x, '%A');
create macro monthname(x) as strftime(x, '%B');
create macro make_timestamp(x) as medal_timestamp(to_timestamp_micros(x));
create macro to_weeks(x) as to_days(x * 7);
create macro to_quarters(x) as to_months(x * 3);

-- JSON.
create macro json_extract_path(x, y) as json_extract(x, y);
create macro json_extract_path_text(x, y) as json_extract_string(x, y);
create macro array_to_json(x) as to_json(x);
create macro row_to_json(x) as to_json(x);

-- Lists, structs and maps.
create macro array_cat(x, y) as array_concat(x, y);
create macro array_contains(x, y) as array_has(x, y);
create macro array_element(x, y) as array_element(x, y);
create macro array_extract(x, y) as array_element(x, y);
create macro array_indexof(x, y) as cast(array_position(x, y) as int);
create macro array_position(x, y) as cast(array_position(x, y) as int);
create macro array_reverse(x) as array_reverse(x);
create macro array_slice(x, y, z) as array_slice(x, y, z);
create macro cardinality(x) as cast(cardinality(x) as bigint unsigned);
create macro flatten(x) as flatten(x);
create macro generate_series(x) as generate_series(0, x);
create macro generate_series(x, y) as generate_series(x, y);
create macro generate_series(x, y, z) as generate_series(medal_step(x), medal_step(y), z);
create macro range(x, y, z) as range(medal_step(x), medal_step(y), z);
create macro list_append(x, y) as array_append(x, y);
create macro list_cat(x, y) as array_concat(x, y);
create macro list_concat(x, y) as array_concat(x, y);
create macro list_contains(x, y) as array_has(x, y);
create macro list_element(x, y) as array_element(x, y);
create macro list_extract(x, y) as array_element(x, y);
create macro list_has(x, y) as array_has(x, y);
create macro list_has_all(x, y) as array_has_all(x, y);
create macro list_has_any(x, y) as array_has_any(x, y);
create macro list_indexof(x, y) as cast(array_position(x, y) as int);
create macro list_position(x, y) as cast(array_position(x, y) as int);
create macro list_prepend(x, y) as array_prepend(x, y);
create macro list_reverse(x) as array_reverse(x);
create macro list_slice(x, y, z) as array_slice(x, y, z);
create macro list_distinct(x) as array_distinct(x);
create macro list_unique(x) as cast(len(array_distinct(x)) as bigint unsigned);
create macro list_value() as make_array();
create macro list_value(x) as make_array(x);
create macro list_value(x, y) as make_array(x, y);
create macro list_value(x, y, z) as make_array(x, y, z);
create macro map_keys(x) as map_keys(x);
create macro map_values(x) as map_values(x);
create macro struct_extract(x, y) as get_field(x, y);

-- Aggregates.
create macro any_value(x) as first_value(x) filter (where x is not null);
create macro arbitrary(x) as first_value(x);
create macro arg_max(x, y) as first_value(x order by y desc) filter (where x is not null and y is not null);
create macro arg_max_null(x, y) as first_value(x order by y desc) filter (where y is not null);
create macro arg_min(x, y) as first_value(x order by y asc) filter (where x is not null and y is not null);
create macro arg_min_null(x, y) as first_value(x order by y asc) filter (where y is not null);
create macro argmax(x, y) as first_value(x order by y desc) filter (where x is not null and y is not null);
create macro argmin(x, y) as first_value(x order by y asc) filter (where x is not null and y is not null);
create macro max_by(x, y) as first_value(x order by y desc) filter (where x is not null and y is not null);
create macro min_by(x, y) as first_value(x order by y asc) filter (where x is not null and y is not null);
create macro avg(x) as cast(sum(x) as double) / cast(count(x) as double);
create macro mean(x) as cast(sum(x) as double) / cast(count(x) as double);
create macro count() as count(*);
create macro count_if(x) as coalesce(sum(cast(x as bigint)), 0);
create macro countif(x) as coalesce(sum(cast(x as bigint)), 0);
create macro first(x) as first_value(x);
create macro group_concat(x) as string_agg(x, ',');
create macro group_concat(x, y) as string_agg(x, y);
create macro last(x) as last_value(x);
create macro list(x) as array_agg(x);
create macro listagg(x) as string_agg(x, ',');
create macro listagg(x, y) as string_agg(x, y);
create macro logical_and(x) as bool_and(x);
create macro logical_or(x) as bool_or(x);
create macro sum_no_overflow(x) as sum(x);
create macro grouping(x) as cast(grouping(x) as bigint);
create macro variance(x) as var_samp(x);

-- Windows: DataFusion counts without a sign.
create macro dense_rank() as cast(dense_rank() as bigint);
create macro ntile(x) as cast(ntile(x) as bigint);
create macro rank() as cast(rank() as bigint);
create macro row_number() as cast(row_number() as bigint);
