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
CREATE INDEX events_pending ON events (id) WHERE state = 'pending';
CREATE INDEX events_by_state ON events (state, id);

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
CREATE INDEX incidents_by_state ON incidents (state, id);
CREATE INDEX incidents_by_entry ON incidents (entry, id);
CREATE INDEX incidents_by_alertname ON incidents (alertname, id);
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
    PRIMARY KEY (incident_id, fingerprint)
);

-- Everything that happened to an incident, and by whom.
CREATE TABLE timeline (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    incident_id TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    detail TEXT COLLATE "C" NOT NULL
);
CREATE INDEX timeline_by_incident ON timeline (incident_id, id);

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

CREATE TABLE decisions (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    incident_id TEXT COLLATE "C" NOT NULL,
    channel TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('send', 'wait', 'nothing')),
    kind TEXT COLLATE "C",
    until_at BIGINT,
    reason TEXT COLLATE "C" NOT NULL,
    notification_id TEXT COLLATE "C",
    route TEXT COLLATE "C" NOT NULL
);
CREATE INDEX decisions_by_incident ON decisions (incident_id, id);

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
    preview TEXT COLLATE "C"
);
CREATE INDEX notifications_due ON notifications (channel, due_at) WHERE state = 'pending';
CREATE INDEX notifications_unfinished ON notifications (channel, dedup_key, id) WHERE state IN ('pending', 'sending');
CREATE INDEX notifications_leased ON notifications (lease_until) WHERE state = 'sending';
CREATE INDEX notifications_by_state ON notifications (state, id);
CREATE INDEX notifications_by_channel ON notifications (channel, id);
CREATE INDEX notifications_by_entry ON notifications (entry, id);
CREATE INDEX notifications_by_dedup_key ON notifications (dedup_key, id);
CREATE INDEX notifications_by_alertname ON notifications (alertname, id);
CREATE INDEX notifications_by_severity ON notifications (severity, id);

CREATE TABLE notification_incidents (
    notification_id TEXT COLLATE "C" NOT NULL,
    incident_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (notification_id, incident_id)
);
CREATE INDEX notification_incidents_by_incident ON notification_incidents (incident_id, notification_id);

CREATE TABLE attempts (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    notification_id TEXT COLLATE "C" NOT NULL,
    series BIGINT NOT NULL,
    number BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('accepted', 'rejected', 'not_processed', 'ambiguous')),
    status BIGINT,
    error TEXT COLLATE "C",
    response TEXT COLLATE "C"
);
CREATE INDEX attempts_by_notification ON attempts (notification_id, id);

CREATE TABLE channel_health (
    channel TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    paused_until BIGINT,
    failures BIGINT NOT NULL,
    last_success_at BIGINT,
    last_failure_at BIGINT,
    last_error TEXT COLLATE "C",
    delivered BIGINT NOT NULL,
    failed BIGINT NOT NULL
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

CREATE TABLE meta (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO meta (key, value) VALUES ('catalog_revision', 0);
