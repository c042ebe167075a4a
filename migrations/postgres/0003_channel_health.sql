-- The circuit breaker of each channel: shared by replicas, outlives a restart.
ALTER TABLE channel_health ADD COLUMN breaker TEXT COLLATE "C" NOT NULL DEFAULT 'closed' CHECK (breaker IN ('closed', 'open', 'half_open'));
-- Since when nothing is sent, and what went wrong.
ALTER TABLE channel_health ADD COLUMN opened_at BIGINT;
ALTER TABLE channel_health ADD COLUMN opened_reason TEXT COLLATE "C";
-- When the next probe may go; while one is under way, when it counts as lost.
ALTER TABLE channel_health ADD COLUMN probe_at BIGINT;
ALTER TABLE channel_health ADD COLUMN failed_probes BIGINT NOT NULL DEFAULT 0;
-- When a message was last given up.
ALTER TABLE channel_health ADD COLUMN given_up_at BIGINT;
-- The internal alert about the channel, while it fires: since when, as how severe, when last
-- told, and since when nothing speaks for it any more.
ALTER TABLE channel_health ADD COLUMN alert_since BIGINT;
ALTER TABLE channel_health ADD COLUMN alert_severity TEXT COLLATE "C";
ALTER TABLE channel_health ADD COLUMN alert_told_at BIGINT;
ALTER TABLE channel_health ADD COLUMN alert_calm_since BIGINT;

-- The message that this one stands in for on another channel: once each.
ALTER TABLE notifications ADD COLUMN fallback_of TEXT COLLATE "C";
CREATE UNIQUE INDEX notifications_fallback_of ON notifications (fallback_of) WHERE fallback_of IS NOT NULL;
CREATE INDEX notifications_stand_ins ON notifications (dedup_key, id) WHERE fallback_of IS NOT NULL;
