-- What the delivery log and the incidents are searched by: each row's values (`=cslack`) and
-- words, written some time after the row. The rows that are not in the index yet are listed, so
-- that a search can compare them one by one; triggers keep the list, whoever writes a row.
CREATE TABLE notification_terms (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES notifications (id) ON DELETE CASCADE,
    terms TSVECTOR NOT NULL
);
CREATE INDEX notification_terms_by_term ON notification_terms USING GIN (terms);
CREATE TABLE notifications_to_index (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES notifications (id) ON DELETE CASCADE
);
CREATE TABLE incident_terms (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES incidents (id) ON DELETE CASCADE,
    terms TSVECTOR NOT NULL
);
CREATE INDEX incident_terms_by_term ON incident_terms USING GIN (terms);
CREATE TABLE incidents_to_index (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES incidents (id) ON DELETE CASCADE
);

CREATE FUNCTION index_new_notifications() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO notifications_to_index (id) SELECT id FROM added;
    RETURN NULL;
END $$;
CREATE TRIGGER notifications_inserted AFTER INSERT ON notifications REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION index_new_notifications();
-- A finished message that is sent again has other terms once it has ended again.
CREATE FUNCTION index_notification_again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    DELETE FROM notification_terms WHERE id = NEW.id;
    INSERT INTO notifications_to_index (id) VALUES (NEW.id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER notifications_changed AFTER UPDATE OF state, reason, preview ON notifications FOR EACH ROW
    WHEN (OLD.state NOT IN ('pending', 'sending')) EXECUTE FUNCTION index_notification_again();
-- Of an incident only what never changes is in the index.
CREATE FUNCTION index_new_incidents() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO incidents_to_index (id) SELECT id FROM added;
    RETURN NULL;
END $$;
CREATE TRIGGER incidents_inserted AFTER INSERT ON incidents REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION index_new_incidents();

ALTER TABLE notifications_to_index SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0);

-- Rows that were there before.
INSERT INTO notifications_to_index (id) SELECT id FROM notifications;
INSERT INTO incidents_to_index (id) SELECT id FROM incidents;
