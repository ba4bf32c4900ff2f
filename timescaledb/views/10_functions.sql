-- Durations on a logarithmic scale: each bucket's middle is within 1 % of all it holds.

CREATE FUNCTION duration_bucket(seconds double precision) RETURNS smallint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE
    WHEN seconds < 0.000001 THEN -32768
    ELSE least(ceil(ln(seconds) / ln(1.01 / 0.99)), 32767)
END::smallint;

CREATE FUNCTION duration_bucket_seconds(bucket smallint) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE
    WHEN bucket = -32768 THEN 0
    ELSE 2 * power((1.01 / 0.99)::double precision, bucket) / (1.01 / 0.99 + 1)
END;

-- How a time range is read exactly: whole hours from the rollup ('hours'), the edges from raw
-- rows ('raw'); each part is [from_at, until_at). Before the retention mark there are no rows, so
-- an edge there grows to its full hour.
CREATE FUNCTION split_range(raw_table text, range_start timestamptz, range_end timestamptz)
RETURNS TABLE (part text, from_at timestamptz, until_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH kept AS (
        SELECT coalesce(max(m.oldest_kept_at), '-infinity') AS since
        FROM retention_marks m WHERE m.table_name = raw_table
    ), rounded AS (
        SELECT
            date_bin('1 hour', CASE
                WHEN range_start < since THEN range_start
                ELSE range_start + interval '1 hour - 1 microsecond'
            END, timestamptz '2000-01-01 00:00:00+00') AS first_hour,
            date_bin('1 hour', CASE
                WHEN range_end < since THEN range_end + interval '1 hour - 1 microsecond'
                ELSE range_end
            END, timestamptz '2000-01-01 00:00:00+00') AS last_hour,
            range_end + interval '1 microsecond' AS range_until
        FROM kept
        WHERE range_start <= range_end
    )
    SELECT 'hours', first_hour, last_hour FROM rounded WHERE first_hour < last_hour
    UNION ALL
    SELECT 'raw', range_start, first_hour FROM rounded WHERE first_hour < last_hour
    UNION ALL
    SELECT 'raw', last_hour, range_until FROM rounded WHERE first_hour < last_hour
    UNION ALL
    SELECT 'raw', range_start, range_until FROM rounded WHERE first_hour >= last_hour;
END;

-- What a dashboard's variable chose; `__all__` among it is everything.
CREATE FUNCTION is_chosen(value text, choice text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '__all__' = ANY (choice) OR value = ANY (choice);

-- A range, and the equally long one before it to compare with.
CREATE FUNCTION range_and_before(range_start timestamptz, range_end timestamptz)
RETURNS TABLE (present boolean, from_at timestamptz, until_at timestamptz)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT false, range_start - (range_end - range_start), range_start - interval '1 microsecond'
    UNION ALL
    SELECT true, range_start, range_end;
END;
