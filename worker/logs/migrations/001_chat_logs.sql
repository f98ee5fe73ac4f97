-- A row per interaction. What the columns hold: docs/logs.md. What is an id or a name is compared by its bytes: faster than by the words of a language, in
-- the same order in every database, and its indexes outlive a change of the system's libraries (https://wiki.postgresql.org/wiki/Locale_data_changes).
CREATE TABLE chat_logs (
  interaction_id text COLLATE "C" PRIMARY KEY,
  "timestamp" timestamptz NOT NULL,
  agent_name text COLLATE "C" NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  owner text COLLATE "C" NOT NULL,
  endpoint text COLLATE "C" NOT NULL,
  input_message text,
  output_response text,
  request_headers jsonb NOT NULL,
  model_info jsonb,
  token_usage jsonb,
  total_tokens bigint,
  response_time_ms double precision,
  time_to_first_token_ms double precision,
  queue_ms double precision,
  status text COLLATE "C" NOT NULL,
  error_code text,
  error_message text,
  files jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  -- For the statistics, so that they stand in an index; what is no number is none of theirs. The day is UTC's.
  day date GENERATED ALWAYS AS (("timestamp" AT TIME ZONE 'UTC')::date) STORED,
  input_tokens double precision
    GENERATED ALWAYS AS (CASE WHEN jsonb_typeof(token_usage->'input_tokens') = 'number' THEN (token_usage->>'input_tokens')::double precision END) STORED,
  output_tokens double precision
    GENERATED ALWAYS AS (CASE WHEN jsonb_typeof(token_usage->'output_tokens') = 'number' THEN (token_usage->>'output_tokens')::double precision END) STORED
);

-- One for each filter of /logs, which always asks for one agent: the newest rows come off its end, and the exact total is counted in it alone. What the
-- first one includes is summed up without a look at the rows, in all and by day; it also passes over rows of another endpoint or owner. With the owner in
-- the indexes by session and user, those of an owner of most rows are counted there.
CREATE INDEX chat_logs_by_time ON chat_logs (agent_name, "timestamp", interaction_id)
  INCLUDE (day, owner, endpoint, status, response_time_ms, time_to_first_token_ms, total_tokens, input_tokens, output_tokens);
CREATE INDEX chat_logs_by_owner ON chat_logs (agent_name, owner, "timestamp", interaction_id);
CREATE INDEX chat_logs_by_session ON chat_logs (agent_name, session_id, "timestamp", interaction_id) INCLUDE (owner);
CREATE INDEX chat_logs_by_user ON chat_logs (agent_name, user_id, "timestamp", interaction_id) INCLUDE (owner);
CREATE INDEX chat_logs_by_status ON chat_logs (agent_name, status, "timestamp", interaction_id);
-- The total of all rows, of an owner, of an endpoint, of a status: a million in 30 ms, as PostgreSQL keeps rows of the same values in 7 bytes each.
CREATE INDEX chat_logs_counted ON chat_logs (agent_name, owner, endpoint, status);

-- Rows are only added: without this the map of what every reader sees, which counting needs, would be made anew too seldom.
ALTER TABLE chat_logs SET (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
