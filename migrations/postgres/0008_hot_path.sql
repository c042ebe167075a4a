-- What is written for every alert costs as many tree insertions as there are indexes: those by
-- state leave out the state in which nearly all rows end (reading those walks the primary key
-- instead). Rows that are only read through their parent are found by its key; their ids keep
-- an index here, since the newest of each kind is looked up at every turn of triage.

DROP INDEX events_by_state;
CREATE INDEX events_by_state ON events (state, id) WHERE state <> 'processed';
DROP INDEX events_pending;

DROP INDEX notifications_by_state;
CREATE INDEX notifications_by_state ON notifications (state, id) WHERE state <> 'delivered';

DROP INDEX incidents_by_state;
CREATE INDEX incidents_open ON incidents (id) WHERE state = 'open';

DROP INDEX timeline_by_incident;
ALTER TABLE timeline DROP CONSTRAINT timeline_pkey, ADD PRIMARY KEY (incident_id, id);
CREATE INDEX timeline_by_id ON timeline (id);

DROP INDEX decisions_by_incident;
ALTER TABLE decisions DROP CONSTRAINT decisions_pkey, ADD PRIMARY KEY (incident_id, id);
CREATE INDEX decisions_by_id ON decisions (id);

DROP INDEX attempts_by_notification;
ALTER TABLE attempts DROP CONSTRAINT attempts_pkey, ADD PRIMARY KEY (notification_id, id);
CREATE INDEX attempts_by_id ON attempts (id);

-- Where a member stands among those of its incident: firing ones first, then by severity.
ALTER TABLE members ADD COLUMN place BIGINT NOT NULL DEFAULT 0;
UPDATE members SET place = CASE status WHEN 'firing' THEN 0 ELSE 5 END
    + CASE severity WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 WHEN 'low' THEN 3 ELSE 4 END;
CREATE INDEX members_by_place ON members (incident_id, place, starts_at, fingerprint);

-- What is on its way changes its state a few times, and its state decides in which indexes it
-- stands: each change leaves a dead row behind, over which whoever looks for the next must step.
-- The usual fifth of a table is too many of them once the table is a log.
ALTER TABLE events SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE notifications SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE conversations SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0, fillfactor = 85);
ALTER TABLE incidents SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0, fillfactor = 85);
-- One row each that every message changes, and no index over what changes in it.
ALTER TABLE channel_health SET (fillfactor = 20, autovacuum_vacuum_threshold = 500);
ALTER TABLE channel_budgets SET (fillfactor = 20, autovacuum_vacuum_threshold = 500);

-- Empty: on PostgreSQL event_keys decides among twins. On SQLite the keys that each
-- transaction of intake stored, as one value.
CREATE TABLE event_key_batches (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL,
    keys BYTEA NOT NULL
);
