-- TimescaleDB Community only: old chunks may be compressed.
ALTER TABLE executions SET (timescaledb.compress,
    timescaledb.compress_segmentby = 'source', timescaledb.compress_orderby = 'created_at DESC, execution_id');
ALTER TABLE steps SET (timescaledb.compress,
    timescaledb.compress_segmentby = 'source', timescaledb.compress_orderby = 'created_at DESC, execution_id, step_id');
ALTER TABLE llm_calls SET (timescaledb.compress,
    timescaledb.compress_segmentby = 'source', timescaledb.compress_orderby = 'created_at DESC, execution_id, call_id');
ALTER TABLE llm_content SET (timescaledb.compress,
    timescaledb.compress_segmentby = 'source', timescaledb.compress_orderby = 'created_at DESC, execution_id, call_id');
