-- Who was told of trouble and not yet of its end: looked through at a start and a reload,
-- which must not read every conversation there ever was.
CREATE INDEX conversations_told_firing ON conversations (incident_id, channel) WHERE told LIKE '%"status":"firing"%';
