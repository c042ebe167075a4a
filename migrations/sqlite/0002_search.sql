-- What the delivery log and the incidents are searched by: each row's values (`=cslack`) and
-- words, written some time after the row. The rows that are not in the index yet are listed, so
-- that a search can compare them one by one; triggers keep the list, whoever writes a row.
CREATE VIRTUAL TABLE notification_terms USING fts5(
    terms, content='', contentless_delete=1, detail=none, prefix='2 3', tokenize="ascii tokenchars '=.'"
);
CREATE TABLE notifications_to_index (number INTEGER PRIMARY KEY);
CREATE VIRTUAL TABLE incident_terms USING fts5(
    terms, content='', contentless_delete=1, detail=none, prefix='2 3', tokenize="ascii tokenchars '=.'"
);
CREATE TABLE incidents_to_index (number INTEGER PRIMARY KEY);

CREATE TRIGGER notifications_inserted AFTER INSERT ON notifications BEGIN
    INSERT INTO notifications_to_index (number) VALUES (NEW.number);
END;
-- A finished message that is sent again has other terms once it has ended again.
CREATE TRIGGER notifications_changed AFTER UPDATE OF state, reason, preview ON notifications
WHEN OLD.state NOT IN ('pending', 'sending') BEGIN
    DELETE FROM notification_terms WHERE rowid = OLD.number;
    INSERT OR IGNORE INTO notifications_to_index (number) VALUES (NEW.number);
END;
CREATE TRIGGER notifications_deleted AFTER DELETE ON notifications BEGIN
    DELETE FROM notification_terms WHERE rowid = OLD.number;
    DELETE FROM notifications_to_index WHERE number = OLD.number;
END;
-- Of an incident only what never changes is in the index.
CREATE TRIGGER incidents_inserted AFTER INSERT ON incidents BEGIN
    INSERT INTO incidents_to_index (number) VALUES (NEW.number);
END;
CREATE TRIGGER incidents_deleted AFTER DELETE ON incidents BEGIN
    DELETE FROM incident_terms WHERE rowid = OLD.number;
    DELETE FROM incidents_to_index WHERE number = OLD.number;
END;

-- Rows that were there before.
INSERT INTO notifications_to_index (number) SELECT number FROM notifications;
INSERT INTO incidents_to_index (number) SELECT number FROM incidents;
