-- The replicas that share this database: a sign of life every few seconds, with the channels
-- each serves (a JSON array of names).
CREATE TABLE replicas (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version TEXT COLLATE "C" NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    left_at BIGINT,
    channels TEXT COLLATE "C" NOT NULL
);
