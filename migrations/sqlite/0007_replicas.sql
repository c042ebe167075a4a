-- Empty: a SQLite file has one process. On PostgreSQL the replicas that share the database: a
-- sign of life every few seconds, with the channels each serves (a JSON array of names).
CREATE TABLE replicas (
    id TEXT NOT NULL PRIMARY KEY,
    version TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    left_at BIGINT,
    channels TEXT NOT NULL
);
