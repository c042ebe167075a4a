-- As a tree of whole rows the table had sets in its inner pages, too: few entries to a page, and
-- more such pages than a reader keeps in memory. Beside a tree of keys the sets are read only
-- where a key was found.

ALTER TABLE log_terms RENAME TO log_terms_old;
CREATE TABLE log_terms (
    block BIGINT NOT NULL,
    term BLOB NOT NULL,
    docs BLOB NOT NULL,
    PRIMARY KEY (block, term)
);
INSERT INTO log_terms SELECT block, term, docs FROM log_terms_old ORDER BY block, term;
DROP TABLE log_terms_old;
