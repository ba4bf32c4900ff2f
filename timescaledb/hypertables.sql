-- With the TimescaleDB extension, the tables that grow become hypertables (any edition).
SELECT create_hypertable('executions', 'created_at', chunk_time_interval => interval '30 days',
    if_not_exists => true, migrate_data => true, create_default_indexes => false);
SELECT create_hypertable('steps', 'created_at', chunk_time_interval => interval '30 days',
    if_not_exists => true, migrate_data => true, create_default_indexes => false);
SELECT create_hypertable('llm_calls', 'created_at', chunk_time_interval => interval '30 days',
    if_not_exists => true, migrate_data => true, create_default_indexes => false);
SELECT create_hypertable('llm_content', 'created_at', chunk_time_interval => interval '7 days',
    if_not_exists => true, migrate_data => true, create_default_indexes => false);
SELECT create_hypertable('step_content', 'created_at', chunk_time_interval => interval '7 days',
    if_not_exists => true, migrate_data => true, create_default_indexes => false);
