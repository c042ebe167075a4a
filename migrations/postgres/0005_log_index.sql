-- The log's own index, written in the background, block by block: which notifications and
-- incidents of a range of ids have which value or word. It takes the place of an index for
-- each column, which every message had to pay for while it was on its way.
CREATE TABLE log_blocks (
    block BIGINT NOT NULL PRIMARY KEY,
    list TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('building', 'ready', 'dropped')),
    first_id TEXT COLLATE "C" NOT NULL,
    last_id TEXT COLLATE "C" NOT NULL,
    docs BIGINT NOT NULL,
    made_from BIGINT NOT NULL,
    made_to BIGINT NOT NULL,
    settled BOOLEAN NOT NULL,
    stale BOOLEAN NOT NULL,
    changed_at BIGINT NOT NULL,
    unfinished BYTEA NOT NULL,
    ids BYTEA NOT NULL
);
CREATE INDEX log_blocks_by_range ON log_blocks (list, state, first_id, last_id);

CREATE TABLE log_terms (
    block BIGINT NOT NULL,
    term BYTEA NOT NULL,
    docs BYTEA NOT NULL,
    PRIMARY KEY (block, term)
);

INSERT INTO meta (key, value) VALUES ('log_block', 0);
INSERT INTO meta (key, value) VALUES ('log_index_turn', 0);

DROP INDEX IF EXISTS notifications_by_channel;
DROP INDEX IF EXISTS notifications_by_entry;
DROP INDEX IF EXISTS notifications_by_dedup_key;
DROP INDEX IF EXISTS notifications_by_alertname;
DROP INDEX IF EXISTS notifications_by_severity;
DROP INDEX IF EXISTS incidents_by_entry;
DROP INDEX IF EXISTS incidents_by_alertname;
