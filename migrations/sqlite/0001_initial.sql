-- Events: inbound bodies, whole, in the order of arrival (ids rise with time).
CREATE TABLE events (
    id TEXT NOT NULL PRIMARY KEY,
    received_at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'processed', 'rejected', 'failed')),
    source TEXT NOT NULL,
    receiver TEXT NOT NULL,
    group_key TEXT NOT NULL,
    external_url TEXT NOT NULL,
    actor TEXT NOT NULL,
    alerts BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    truncated BIGINT NOT NULL,
    twins BIGINT NOT NULL,
    replay_of TEXT,
    reason TEXT NOT NULL,
    verdicts TEXT NOT NULL,
    body BLOB NOT NULL,
    processed_at BIGINT
);
-- Nearly every event ends as processed: reading those walks the primary key.
CREATE INDEX events_by_state ON events (state, id) WHERE state <> 'processed';

-- Of a large event that waits for its next turn of triage: at which place of its list of
-- alerts that begins. Not a column of its event: SQLite would write the body anew each time.
CREATE TABLE event_progress (
    event_id TEXT NOT NULL PRIMARY KEY,
    place BIGINT NOT NULL
);

-- One row per delivery seen lately: its uniqueness decides who was first among twins.
CREATE TABLE event_keys (
    key TEXT NOT NULL PRIMARY KEY,
    event_id TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX event_keys_expiry ON event_keys (expires_at);

-- On SQLite the keys that each transaction of intake stored, as one value; empty on PostgreSQL.
CREATE TABLE event_key_batches (
    id TEXT NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL,
    keys BLOB NOT NULL
);

-- Who posts to us. The key stands for address and receiver, which may be too long for an index.
CREATE TABLE alert_sources (
    key TEXT NOT NULL PRIMARY KEY,
    external_url TEXT NOT NULL,
    receiver TEXT NOT NULL,
    source TEXT NOT NULL,
    first_seen_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    events BIGINT NOT NULL
);

CREATE TABLE incidents (
    -- By which the index of terms knows the row; rises with each row.
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    dedup_key TEXT NOT NULL,
    is_current BOOLEAN NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'resolved')),
    severity TEXT NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info')),
    severity_raw TEXT NOT NULL,
    entry TEXT NOT NULL,
    version TEXT NOT NULL,
    alertname TEXT NOT NULL,
    source TEXT NOT NULL,
    receiver TEXT NOT NULL,
    external_url TEXT NOT NULL,
    truncated BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    resolved_at BIGINT,
    resolve_reason TEXT CHECK (resolve_reason IN ('alert', 'person', 'stale')),
    reopened BIGINT NOT NULL,
    firing BIGINT NOT NULL,
    members BIGINT NOT NULL,
    tally TEXT NOT NULL
);
-- At most one incident of a dedup key is the present one.
CREATE UNIQUE INDEX incidents_current ON incidents (dedup_key) WHERE is_current;
CREATE INDEX incidents_open ON incidents (id) WHERE state = 'open';
CREATE INDEX incidents_open_last_seen ON incidents (last_seen_at) WHERE state = 'open';
CREATE INDEX incidents_open_tests ON incidents (last_seen_at) WHERE state = 'open' AND source = 'grafana-test';

CREATE TABLE members (
    incident_id TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('firing', 'resolved')),
    severity TEXT NOT NULL,
    severity_raw TEXT NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT,
    generator_url TEXT NOT NULL,
    extras TEXT NOT NULL DEFAULT '{}',
    event_id TEXT NOT NULL,
    first_seen_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    -- Where it stands among those of its incident: firing ones first, then by severity.
    place BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (incident_id, fingerprint)
);
CREATE INDEX members_by_place ON members (incident_id, place, starts_at, fingerprint);

-- Everything that happened to an incident, and by whom. Like all rows that are read through
-- their parent alone it is stored in the order of the parent's rows.
CREATE TABLE timeline (
    id TEXT NOT NULL,
    incident_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (incident_id, id)
) WITHOUT ROWID;

-- What one incident has said on one channel, and when to decide again.
CREATE TABLE conversations (
    incident_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    told TEXT,
    next_due_at BIGINT,
    last_answer TEXT NOT NULL,
    reference TEXT,
    PRIMARY KEY (incident_id, channel)
) WITHOUT ROWID;
CREATE INDEX conversations_due ON conversations (next_due_at) WHERE next_due_at IS NOT NULL;
-- Channels that were told of trouble and not yet of its end: looked through at a start and a reload.
CREATE INDEX conversations_told_firing ON conversations (incident_id, channel) WHERE told LIKE '%"status":"firing"%';

CREATE TABLE decisions (
    id TEXT NOT NULL,
    incident_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    at BIGINT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('send', 'wait', 'nothing')),
    kind TEXT,
    until_at BIGINT,
    reason TEXT NOT NULL,
    notification_id TEXT,
    route TEXT NOT NULL,
    PRIMARY KEY (incident_id, id)
) WITHOUT ROWID;

-- The outbox and, once finished, the delivery log.
CREATE TABLE notifications (
    -- By which the index of terms knows the row; rises with each row.
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    channel TEXT NOT NULL,
    dedup_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'sending', 'delivered', 'failed', 'superseded', 'cancelled')),
    severity TEXT NOT NULL,
    entry TEXT NOT NULL,
    alertname TEXT NOT NULL,
    received_at BIGINT,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    series BIGINT NOT NULL,
    lease_owner TEXT,
    lease_until BIGINT,
    lease_claim TEXT,
    finished_at BIGINT,
    reason TEXT NOT NULL,
    maybe_twice BOOLEAN NOT NULL,
    snapshot TEXT NOT NULL,
    preview TEXT,
    -- The message of another channel that this one stands in for.
    fallback_of TEXT,
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
    notification_id TEXT NOT NULL,
    incident_id TEXT NOT NULL,
    PRIMARY KEY (notification_id, incident_id)
) WITHOUT ROWID;
CREATE INDEX notification_incidents_by_incident ON notification_incidents (incident_id, notification_id);

CREATE TABLE attempts (
    id TEXT NOT NULL,
    notification_id TEXT NOT NULL,
    series BIGINT NOT NULL,
    number BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('accepted', 'rejected', 'not_processed', 'ambiguous')),
    status BIGINT,
    error TEXT,
    response TEXT,
    PRIMARY KEY (notification_id, id)
) WITHOUT ROWID;

CREATE TABLE channel_health (
    channel TEXT NOT NULL PRIMARY KEY,
    paused_until BIGINT,
    failures BIGINT NOT NULL,
    last_success_at BIGINT,
    last_failure_at BIGINT,
    last_error TEXT,
    delivered BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    -- The circuit breaker: shared by replicas, outlives a restart.
    breaker TEXT NOT NULL DEFAULT 'closed' CHECK (breaker IN ('closed', 'open', 'half_open')),
    -- Since when nothing is sent, and what went wrong.
    opened_at BIGINT,
    opened_reason TEXT,
    -- When the next probe may go; while one is under way, when it counts as lost.
    probe_at BIGINT,
    failed_probes BIGINT NOT NULL DEFAULT 0,
    -- When a message was last given up.
    given_up_at BIGINT,
    -- The internal alert about the channel, while it fires: since when, as how severe, when last
    -- told, and since when nothing speaks for it any more.
    alert_since BIGINT,
    alert_severity TEXT,
    alert_told_at BIGINT,
    alert_calm_since BIGINT
);

-- How far the messages sent have used a channel's rate limit up, in microseconds since the
-- epoch: shared by all replicas.
CREATE TABLE channel_budgets (
    channel TEXT NOT NULL PRIMARY KEY,
    used_until BIGINT NOT NULL
);

CREATE TABLE catalog_entries (
    slug TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('model', 'llm', 'prompt', 'pipeline', 'feature_store')),
    owner TEXT NOT NULL,
    team TEXT NOT NULL,
    tier BIGINT,
    environment TEXT NOT NULL,
    search TEXT NOT NULL,
    document TEXT NOT NULL,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX catalog_entries_by_owner ON catalog_entries (owner, slug);
CREATE INDEX catalog_entries_by_team ON catalog_entries (team, slug);

-- Normalised slugs and aliases: a name belongs to one entry.
CREATE TABLE catalog_names (
    name TEXT NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL
);
CREATE INDEX catalog_names_by_slug ON catalog_names (slug);

CREATE TABLE catalog_versions (
    slug TEXT NOT NULL,
    version TEXT NOT NULL,
    valid_from BIGINT NOT NULL,
    note TEXT NOT NULL,
    url TEXT NOT NULL,
    PRIMARY KEY (slug, valid_from, version)
);

CREATE TABLE catalog_deployments (
    id TEXT NOT NULL PRIMARY KEY,
    slug TEXT NOT NULL,
    external_id TEXT NOT NULL,
    version TEXT NOT NULL,
    previous_version TEXT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    url TEXT NOT NULL,
    rollback_command TEXT NOT NULL
);
CREATE UNIQUE INDEX catalog_deployments_external ON catalog_deployments (slug, external_id) WHERE external_id <> '';
CREATE INDEX catalog_deployments_by_time ON catalog_deployments (slug, at, id);

-- The feed by which other replicas learn of changes: one row per changed entry.
CREATE TABLE catalog_changes (
    slug TEXT NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL,
    deleted BOOLEAN NOT NULL
);
CREATE INDEX catalog_changes_by_revision ON catalog_changes (revision);

CREATE TABLE audit_log (
    id TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    before TEXT,
    after TEXT
);
CREATE INDEX audit_log_by_subject ON audit_log (subject_kind, subject, id);

-- Sessions of people that were ended before their time; a row goes when that is over.
CREATE TABLE ended_sessions (
    id TEXT NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);

-- On PostgreSQL the replicas that share the database: a heartbeat every few seconds, with the
-- channels each serves (a JSON array of names). Empty on SQLite, whose file has one process.
CREATE TABLE replicas (
    id TEXT NOT NULL PRIMARY KEY,
    version TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    left_at BIGINT,
    channels TEXT NOT NULL
);

CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO meta (key, value) VALUES ('catalog_revision', 0);
