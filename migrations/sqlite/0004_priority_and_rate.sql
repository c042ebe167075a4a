-- What waits for a channel is sent in this order: lower numbers first. What waited when this
-- was applied keeps its place by age, ahead of what comes.
ALTER TABLE notifications ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;
DROP INDEX notifications_due;
CREATE INDEX notifications_due ON notifications (channel, priority, due_at, id) WHERE state = 'pending';

-- How far the messages sent have used a channel's rate limit up, in microseconds since the
-- epoch: shared by all replicas.
CREATE TABLE channel_budgets (
    channel TEXT NOT NULL PRIMARY KEY,
    used_until BIGINT NOT NULL
);
