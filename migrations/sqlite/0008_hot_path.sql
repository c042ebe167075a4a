-- What is written for every alert costs as many tree insertions as there are indexes. Rows
-- that are only read through their parent are stored in its order, and indexes by state leave
-- out the state in which nearly all rows end (reading those walks the primary key instead).

DROP INDEX events_by_state;
CREATE INDEX events_by_state ON events (state, id) WHERE state <> 'processed';
DROP INDEX events_pending;

DROP INDEX notifications_by_state;
CREATE INDEX notifications_by_state ON notifications (state, id) WHERE state <> 'delivered';

DROP INDEX incidents_by_state;
CREATE INDEX incidents_open ON incidents (id) WHERE state = 'open';

ALTER TABLE timeline RENAME TO timeline_old;
DROP INDEX timeline_by_incident;
CREATE TABLE timeline (
    id TEXT NOT NULL,
    incident_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (incident_id, id)
) WITHOUT ROWID;
INSERT INTO timeline SELECT id, incident_id, at, kind, actor, detail FROM timeline_old ORDER BY incident_id, id;
DROP TABLE timeline_old;

ALTER TABLE conversations RENAME TO conversations_old;
DROP INDEX conversations_due;
DROP INDEX conversations_told_firing;
CREATE TABLE conversations (
    incident_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    told TEXT,
    next_due_at BIGINT,
    last_answer TEXT NOT NULL,
    reference TEXT,
    PRIMARY KEY (incident_id, channel)
) WITHOUT ROWID;
INSERT INTO conversations SELECT incident_id, channel, told, next_due_at, last_answer, reference
    FROM conversations_old ORDER BY incident_id, channel;
DROP TABLE conversations_old;
CREATE INDEX conversations_due ON conversations (next_due_at) WHERE next_due_at IS NOT NULL;
CREATE INDEX conversations_told_firing ON conversations (incident_id, channel) WHERE told LIKE '%"status":"firing"%';

ALTER TABLE decisions RENAME TO decisions_old;
DROP INDEX decisions_by_incident;
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
INSERT INTO decisions SELECT id, incident_id, channel, at, outcome, kind, until_at, reason, notification_id, route
    FROM decisions_old ORDER BY incident_id, id;
DROP TABLE decisions_old;

ALTER TABLE notification_incidents RENAME TO notification_incidents_old;
DROP INDEX notification_incidents_by_incident;
CREATE TABLE notification_incidents (
    notification_id TEXT NOT NULL,
    incident_id TEXT NOT NULL,
    PRIMARY KEY (notification_id, incident_id)
) WITHOUT ROWID;
INSERT INTO notification_incidents SELECT notification_id, incident_id
    FROM notification_incidents_old ORDER BY notification_id, incident_id;
DROP TABLE notification_incidents_old;
CREATE INDEX notification_incidents_by_incident ON notification_incidents (incident_id, notification_id);

ALTER TABLE attempts RENAME TO attempts_old;
DROP INDEX attempts_by_notification;
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
INSERT INTO attempts SELECT id, notification_id, series, number, started_at, duration_ms, outcome, status, error, response
    FROM attempts_old ORDER BY notification_id, id;
DROP TABLE attempts_old;

-- Where a member stands among those of its incident: firing ones first, then by severity.
ALTER TABLE members ADD COLUMN place BIGINT NOT NULL DEFAULT 0;
UPDATE members SET place = CASE status WHEN 'firing' THEN 0 ELSE 5 END
    + CASE severity WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 WHEN 'low' THEN 3 ELSE 4 END;
CREATE INDEX members_by_place ON members (incident_id, place, starts_at, fingerprint);

-- The keys that each transaction of intake stored, as one value: among twins the process that
-- has the file decides by what it remembers, and reads these at its start. What event_keys
-- holds from before counts until it lapses.
CREATE TABLE event_key_batches (
    id TEXT NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL,
    keys BLOB NOT NULL
);
