-- Events: inbound bodies, whole, in the order of arrival (ids rise with time).
CREATE TABLE events (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    received_at BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'processed', 'rejected', 'failed')),
    source TEXT COLLATE "C" NOT NULL,
    receiver TEXT COLLATE "C" NOT NULL,
    group_key TEXT COLLATE "C" NOT NULL,
    external_url TEXT COLLATE "C" NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    alerts BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    truncated BIGINT NOT NULL,
    twins BIGINT NOT NULL,
    replay_of TEXT COLLATE "C",
    reason TEXT COLLATE "C" NOT NULL,
    verdicts TEXT COLLATE "C" NOT NULL,
    body BYTEA NOT NULL,
    processed_at BIGINT
);
-- Nearly every event ends as processed: reading those walks the primary key.
CREATE INDEX events_by_state ON events (state, id) WHERE state <> 'processed';

-- Of a large event that waits for its next turn of triage: at which place of its list of
-- alerts that begins. Not a column of its event: SQLite would write the body anew each time.
CREATE TABLE event_progress (
    event_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    place BIGINT NOT NULL
);

-- One row per delivery seen lately: its uniqueness decides who was first among twins.
CREATE TABLE event_keys (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    event_id TEXT COLLATE "C" NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX event_keys_expiry ON event_keys (expires_at);

-- On SQLite the keys that each transaction of intake stored, as one value; empty on PostgreSQL.
CREATE TABLE event_key_batches (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL,
    keys BYTEA NOT NULL
);

-- Who posts to us. The key stands for address and receiver, which may be too long for an index.
CREATE TABLE alert_sources (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    external_url TEXT COLLATE "C" NOT NULL,
    receiver TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    first_seen_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    events BIGINT NOT NULL
);

CREATE TABLE incidents (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    dedup_key TEXT COLLATE "C" NOT NULL,
    is_current BOOLEAN NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'resolved')),
    severity TEXT COLLATE "C" NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info')),
    severity_raw TEXT COLLATE "C" NOT NULL,
    entry TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    alertname TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    receiver TEXT COLLATE "C" NOT NULL,
    external_url TEXT COLLATE "C" NOT NULL,
    truncated BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    resolved_at BIGINT,
    resolve_reason TEXT COLLATE "C" CHECK (resolve_reason IN ('alert', 'person', 'stale')),
    reopened BIGINT NOT NULL,
    firing BIGINT NOT NULL,
    members BIGINT NOT NULL,
    tally TEXT COLLATE "C" NOT NULL
);
-- At most one incident of a dedup key is the present one.
CREATE UNIQUE INDEX incidents_current ON incidents (dedup_key) WHERE is_current;
CREATE INDEX incidents_open ON incidents (id) WHERE state = 'open';
CREATE INDEX incidents_open_last_seen ON incidents (last_seen_at) WHERE state = 'open';
CREATE INDEX incidents_open_tests ON incidents (last_seen_at) WHERE state = 'open' AND source = 'grafana-test';

CREATE TABLE members (
    incident_id TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL CHECK (status IN ('firing', 'resolved')),
    severity TEXT COLLATE "C" NOT NULL,
    severity_raw TEXT COLLATE "C" NOT NULL,
    labels TEXT COLLATE "C" NOT NULL,
    annotations TEXT COLLATE "C" NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT,
    generator_url TEXT COLLATE "C" NOT NULL,
    extras TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    event_id TEXT COLLATE "C" NOT NULL,
    first_seen_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    -- Where it stands among those of its incident: firing ones first, then by severity.
    place BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (incident_id, fingerprint)
);
CREATE INDEX members_by_place ON members (incident_id, place, starts_at, fingerprint);

-- Everything that happened to an incident, and by whom.
CREATE TABLE timeline (
    id TEXT COLLATE "C" NOT NULL,
    incident_id TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    detail TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (incident_id, id)
);
-- The newest id of each kind is looked up at every turn of triage.
CREATE INDEX timeline_by_id ON timeline (id);

-- What one incident has said on one channel, and when to decide again.
CREATE TABLE conversations (
    incident_id TEXT COLLATE "C" NOT NULL,
    channel TEXT COLLATE "C" NOT NULL,
    told TEXT COLLATE "C",
    next_due_at BIGINT,
    last_answer TEXT COLLATE "C" NOT NULL,
    reference TEXT COLLATE "C",
    PRIMARY KEY (incident_id, channel)
);
CREATE INDEX conversations_due ON conversations (next_due_at) WHERE next_due_at IS NOT NULL;
-- Channels that were told of trouble and not yet of its end: looked through at a start and a reload.
CREATE INDEX conversations_told_firing ON conversations (incident_id, channel) WHERE told LIKE '%"status":"firing"%';

CREATE TABLE decisions (
    id TEXT COLLATE "C" NOT NULL,
    incident_id TEXT COLLATE "C" NOT NULL,
    channel TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('send', 'wait', 'nothing')),
    kind TEXT COLLATE "C",
    until_at BIGINT,
    reason TEXT COLLATE "C" NOT NULL,
    notification_id TEXT COLLATE "C",
    route TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (incident_id, id)
);
CREATE INDEX decisions_by_id ON decisions (id);

-- The outbox and, once finished, the delivery log.
CREATE TABLE notifications (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    channel TEXT COLLATE "C" NOT NULL,
    dedup_key TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'sending', 'delivered', 'failed', 'superseded', 'cancelled')),
    severity TEXT COLLATE "C" NOT NULL,
    entry TEXT COLLATE "C" NOT NULL,
    alertname TEXT COLLATE "C" NOT NULL,
    received_at BIGINT,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    series BIGINT NOT NULL,
    lease_owner TEXT COLLATE "C",
    lease_until BIGINT,
    lease_claim TEXT COLLATE "C",
    finished_at BIGINT,
    reason TEXT COLLATE "C" NOT NULL,
    maybe_twice BOOLEAN NOT NULL,
    snapshot TEXT COLLATE "C" NOT NULL,
    preview TEXT COLLATE "C",
    -- The message of another channel that this one stands in for.
    fallback_of TEXT COLLATE "C",
    -- Lower numbers are sent first.
    priority BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX notifications_due ON notifications (channel, priority, due_at, id) WHERE state = 'pending';
CREATE INDEX notifications_unfinished ON notifications (channel, dedup_key, id) WHERE state IN ('pending', 'sending');
CREATE INDEX notifications_leased ON notifications (lease_until) WHERE state = 'sending';
-- Nearly every message ends as delivered: reading those walks the primary key.
CREATE INDEX notifications_by_state ON notifications (state, id) WHERE state <> 'delivered';
-- A message has one stand-in.
CREATE UNIQUE INDEX notifications_fallback_of ON notifications (fallback_of) WHERE fallback_of IS NOT NULL;
CREATE INDEX notifications_stand_ins ON notifications (dedup_key, id) WHERE fallback_of IS NOT NULL;

CREATE TABLE notification_incidents (
    notification_id TEXT COLLATE "C" NOT NULL,
    incident_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (notification_id, incident_id)
);
CREATE INDEX notification_incidents_by_incident ON notification_incidents (incident_id, notification_id);

CREATE TABLE attempts (
    id TEXT COLLATE "C" NOT NULL,
    notification_id TEXT COLLATE "C" NOT NULL,
    series BIGINT NOT NULL,
    number BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('accepted', 'rejected', 'not_processed', 'ambiguous')),
    status BIGINT,
    error TEXT COLLATE "C",
    response TEXT COLLATE "C",
    PRIMARY KEY (notification_id, id)
);
CREATE INDEX attempts_by_id ON attempts (id);

CREATE TABLE channel_health (
    channel TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    paused_until BIGINT,
    failures BIGINT NOT NULL,
    last_success_at BIGINT,
    last_failure_at BIGINT,
    last_error TEXT COLLATE "C",
    delivered BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    -- The circuit breaker: shared by replicas, outlives a restart.
    breaker TEXT COLLATE "C" NOT NULL DEFAULT 'closed' CHECK (breaker IN ('closed', 'open', 'half_open')),
    -- Since when nothing is sent, and what went wrong.
    opened_at BIGINT,
    opened_reason TEXT COLLATE "C",
    -- When the next probe may go; while one is under way, when it counts as lost.
    probe_at BIGINT,
    failed_probes BIGINT NOT NULL DEFAULT 0,
    -- When a message was last given up.
    given_up_at BIGINT,
    -- The internal alert about the channel, while it fires: since when, as how severe, when last
    -- told, and since when nothing speaks for it any more.
    alert_since BIGINT,
    alert_severity TEXT COLLATE "C",
    alert_told_at BIGINT,
    alert_calm_since BIGINT
);

-- How far the messages sent have used a channel's rate limit up, in microseconds since the
-- epoch: shared by all replicas.
CREATE TABLE channel_budgets (
    channel TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    used_until BIGINT NOT NULL
);

CREATE TABLE catalog_entries (
    slug TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('model', 'llm', 'prompt', 'pipeline', 'feature_store')),
    owner TEXT COLLATE "C" NOT NULL,
    team TEXT COLLATE "C" NOT NULL,
    tier BIGINT,
    environment TEXT COLLATE "C" NOT NULL,
    search TEXT COLLATE "C" NOT NULL,
    document TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX catalog_entries_by_owner ON catalog_entries (owner, slug);
CREATE INDEX catalog_entries_by_team ON catalog_entries (team, slug);

-- Normalised slugs and aliases: a name belongs to one entry.
CREATE TABLE catalog_names (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    slug TEXT COLLATE "C" NOT NULL
);
CREATE INDEX catalog_names_by_slug ON catalog_names (slug);

CREATE TABLE catalog_versions (
    slug TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    valid_from BIGINT NOT NULL,
    note TEXT COLLATE "C" NOT NULL,
    url TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (slug, valid_from, version)
);

CREATE TABLE catalog_deployments (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    slug TEXT COLLATE "C" NOT NULL,
    external_id TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    previous_version TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    commit_id TEXT COLLATE "C" NOT NULL,
    url TEXT COLLATE "C" NOT NULL,
    rollback_command TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX catalog_deployments_external ON catalog_deployments (slug, external_id) WHERE external_id <> '';
CREATE INDEX catalog_deployments_by_time ON catalog_deployments (slug, at, id);

-- The feed by which other replicas learn of changes: one row per changed entry.
CREATE TABLE catalog_changes (
    slug TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL,
    deleted BOOLEAN NOT NULL
);
CREATE INDEX catalog_changes_by_revision ON catalog_changes (revision);

CREATE TABLE audit_log (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    subject_kind TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    before TEXT COLLATE "C",
    after TEXT COLLATE "C"
);
CREATE INDEX audit_log_by_subject ON audit_log (subject_kind, subject, id);

-- Sessions of people that were ended before their time; a row goes when that is over.
CREATE TABLE ended_sessions (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);

-- On PostgreSQL the replicas that share the database: a heartbeat every few seconds, with the
-- channels each serves (a JSON array of names). Empty on SQLite, whose file has one process.
CREATE TABLE replicas (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version TEXT COLLATE "C" NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    left_at BIGINT,
    channels TEXT COLLATE "C" NOT NULL
);

CREATE TABLE meta (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO meta (key, value) VALUES ('catalog_revision', 0);

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
