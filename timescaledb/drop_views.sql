-- Before views/ is applied again: everything it makes holds no data.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT p.oid::regprocedure::text AS name -- as text now: CASCADE drops some before their turn
        FROM pg_proc p
        WHERE p.pronamespace = current_schema()::regnamespace AND (
            p.proname LIKE 'v\_%'
            OR p.proname IN (
                'duration_bucket', 'duration_bucket_seconds', 'split_range',
                'is_chosen', 'range_and_before', 'utc_day', 'known_cost', 'status_word',
                'typed_number', 'found_runs', 'run_key', 'hex_id',
                'seconds_in', 'measure_text'
            )
        )
        ORDER BY name
    LOOP
        EXECUTE format('DROP FUNCTION IF EXISTS %s CASCADE', found.name);
    END LOOP;
    FOR found IN
        SELECT viewname AS name
        FROM pg_views
        WHERE schemaname = current_schema() AND viewname LIKE 'v\_%'
    LOOP
        EXECUTE format('DROP VIEW IF EXISTS %I CASCADE', found.name);
    END LOOP;
END
$$
