-- A part of a large log: the notifications {first} to {end} (not included) of {all}, spread
-- over 180 days, with all that belongs to them. Four notifications make an incident: firing
-- and resolved on two channels. What is rare is so on purpose: some pairs of channel and
-- entry never occur, failures happen on three channels only, and one message in 100,000
-- holds a word of its own.
CREATE TEMP TABLE IF NOT EXISTS subjects (n INTEGER PRIMARY KEY, entry TEXT);
INSERT OR IGNORE INTO subjects
WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 4999)
SELECT n, json_extract('["fraud-detector","churn","ranker","search","llm-gateway","summariser","embedding","vision",'
    || '"forecast","pricing","router","spam-filter","recommender","translator","credit-risk","ads-ctr","eta",'
    || '"inventory","moderation","voice"]', '$[' || (n % 20) || ']') || printf('-%04d', n) AS entry FROM n;
CREATE TEMP TABLE IF NOT EXISTS alertnames (n INTEGER PRIMARY KEY, alertname TEXT, severity TEXT);
INSERT OR IGNORE INTO alertnames
WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 49)
SELECT n, json_extract('["Model","Feature","Pipeline","Llm","Gpu"]', '$[' || (n / 10) || ']')
    || json_extract('["LatencyHigh","ErrorBudgetBurn","DriftDetected","AccuracyDrop","Stale","MemoryLow",'
    || '"QueueGrowing","CostSpike","TrafficDrop","Restarting"]', '$[' || (n % 10) || ']') AS alertname,
    json_extract('["critical","high","high","medium","medium","medium","low","low","info","medium"]',
    '$[' || (n % 10) || ']') AS severity FROM n;

DROP TABLE IF EXISTS temp.part;
CREATE TEMP TABLE part AS
WITH RECURSIVE i(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM i WHERE i < {end} - 1),
mixed AS (SELECT i, i / 4 AS j, i % 4 AS k, (i / 4 * 2654435761) % 4294967296 AS h,
    1735689600000 + (i * 15552000000) / {all} AS at FROM i),
chosen AS (SELECT *, CAST(4999.0 * (h % 100000) * (h % 100000) * (h % 100000) / 1e15 AS INTEGER) AS e FROM mixed)
SELECT c.i, c.j, c.k, c.h, c.at, s.entry, a.alertname, a.severity, a.alertname || ':' || s.entry AS dedup_key,
    printf('%08x-%04x-7000-8000-%012x', c.at / 65536, c.at % 65536, c.i) AS id,
    printf('%08x-%04x-7000-9000-%012x', (c.at - 900) / 65536, (c.at - 900) % 65536, c.j) AS own_incident,
    CASE WHEN c.k % 2 = 0 THEN 'team-' || (c.e % 4) ELSE 'pager-' || ((c.e / 4) % 4) END AS channel,
    CASE WHEN c.k < 2 THEN 'firing' ELSE 'resolved' END AS kind,
    CASE WHEN (c.i * 40503 / 7) % 100 < 95 THEN 'delivered'
        WHEN (c.i * 40503 / 7) % 100 < 97 AND c.k % 2 = 0 AND c.e % 4 < 3 THEN 'failed'
        WHEN (c.i * 40503 / 7) % 100 < 99 THEN 'superseded' ELSE 'cancelled' END AS state,
    printf('%s is %d.%02d, above %d.%d for %d minutes. Version v%d.%d was deployed %d hours before.%s', a.alertname,
        c.h % 30, c.h % 97, c.h % 9, c.h % 7, 5 + c.h % 50, c.h % 12, c.h % 40, c.h % 300,
        CASE WHEN c.i % 100000 = 77 THEN ' needle' || (c.i / 100000) ELSE '' END) AS said
FROM chosen c CROSS JOIN subjects s ON s.n = c.e CROSS JOIN alertnames a ON a.n = (c.e * 7 + (c.h / 256) % 10 * 5) % 50
ORDER BY c.i;
CREATE TEMP TABLE IF NOT EXISTS opened (j INTEGER PRIMARY KEY, incident_id TEXT NOT NULL);
INSERT OR IGNORE INTO opened SELECT j, own_incident FROM part WHERE k = 0;

INSERT INTO notifications (id, channel, dedup_key, kind, state, severity, entry, alertname, received_at, created_at,
    due_at, expires_at, attempts, series, finished_at, reason, maybe_twice, snapshot, preview)
SELECT id, channel, dedup_key, kind, state, severity, entry, alertname, at - 15, at, at, at + 86400000,
    CASE state WHEN 'delivered' THEN 1 WHEN 'failed' THEN 3 ELSE 0 END, 1, at + 240,
    CASE state WHEN 'delivered' THEN '' WHEN 'failed' THEN 'the provider refused it: 404 no such hook'
        WHEN 'superseded' THEN 'a newer message told the same and more' ELSE 'its channel was removed' END, FALSE,
    '{"kind":"' || kind || '","reason":"first word about it here","at":' || at || ',"status":"firing","incident":{"id":"'
        || own_incident || '","dedup_key":"' || dedup_key || '","state":"open","severity":"' || severity
        || '","entry":"' || entry || '","alertname":"' || alertname || '","source":"alertmanager"},"alerts":[{"fingerprint":"'
        || printf('%016x', h) || '","status":"firing","labels":{"alertname":"' || alertname || '","model":"' || entry
        || '","namespace":"ml-serving","severity":"' || severity || '"},"annotations":{"summary":"' || said
        || '"},"starts_at":' || (at - 60000) || '}],"alerts_omitted":0,"entry":null,"route":["root"]}',
    CASE WHEN state IN ('delivered', 'failed') THEN '{"title":"' || upper(severity) || ': ' || alertname || ' on '
        || entry || '","text":"' || said || ' Look at the dashboard, then at the last deployment.","body":"{}",'
        || '"content_type":"application/json"}' END
FROM part ORDER BY i;
INSERT INTO notification_incidents (notification_id, incident_id)
SELECT p.id, o.incident_id FROM part p JOIN opened o ON o.j = p.j ORDER BY p.i;
INSERT INTO attempts (id, notification_id, series, number, started_at, duration_ms, outcome, status, error, response)
SELECT printf('%08x-%04x-7000-a000-%012x', (at + 20) / 65536, (at + 20) % 65536, i), id, 1, 1, at + 20, 120,
    CASE state WHEN 'failed' THEN 'rejected' ELSE 'accepted' END, CASE state WHEN 'failed' THEN 404 ELSE 200 END,
    CASE state WHEN 'failed' THEN 'no such hook' END, 'ok'
FROM part WHERE state IN ('delivered', 'failed') ORDER BY i;
INSERT INTO decisions (id, incident_id, channel, at, outcome, kind, until_at, reason, notification_id, route)
SELECT printf('%08x-%04x-7000-b000-%012x', p.at / 65536, p.at % 65536, p.i), o.incident_id, p.channel, p.at, 'send',
    p.kind, NULL, 'first word about it here', p.id, '["root"]'
FROM part p JOIN opened o ON o.j = p.j ORDER BY o.incident_id, p.i;
INSERT INTO incidents (id, dedup_key, is_current, state, severity, severity_raw, entry, version, alertname, source,
    receiver, external_url, truncated, started_at, opened_at, updated_at, last_seen_at, resolved_at, resolve_reason,
    reopened, firing, members, tally)
SELECT own_incident, dedup_key, FALSE, CASE WHEN j % 1000 = 999 THEN 'open' ELSE 'resolved' END, severity, severity,
    entry, 'v' || (h % 12), alertname, 'alertmanager', 'modelpager', 'http://alertmanager:9093', 0, at - 60000, at - 900,
    at + 600000, at + 600000, at + 600000, 'alert', 0, 0, 1, '{"firing":[0,0,0,0,0],"digest":0,"joins":1}'
FROM part WHERE k = 0 ORDER BY i;
INSERT INTO members (incident_id, fingerprint, status, severity, severity_raw, labels, annotations, starts_at, ends_at,
    generator_url, event_id, first_seen_at, last_seen_at)
SELECT own_incident, printf('%016x', h), 'resolved', severity, severity,
    '{"alertname":"' || alertname || '","model":"' || entry || '","namespace":"ml-serving"}', '{"summary":"' || said || '"}',
    at - 60000, at + 600000, 'http://prometheus:9090/graph', 'event', at - 900, at + 600000
FROM part WHERE k = 0 ORDER BY i;
INSERT INTO timeline (id, incident_id, at, kind, actor, detail)
SELECT printf('%08x-%04x-7000-c000-%012x', p.at / 65536, p.at % 65536, p.i), o.incident_id, p.at,
    CASE p.k WHEN 0 THEN 'opened' WHEN 1 THEN 'delivered' WHEN 2 THEN 'resolved' ELSE 'delivered' END, 'alertmanager',
    '{"channel":"' || p.channel || '"}'
FROM part p JOIN opened o ON o.j = p.j ORDER BY o.incident_id, p.i;
INSERT INTO conversations (incident_id, channel, told, next_due_at, last_answer)
SELECT own_incident, channel, NULL, NULL, '' FROM part WHERE k = 0 ORDER BY own_incident;
INSERT INTO events (id, received_at, state, source, receiver, group_key, external_url, actor, alerts, rejected,
    truncated, twins, replay_of, reason, verdicts, body, processed_at)
SELECT printf('%08x-%04x-7000-d000-%012x', at / 65536, at % 65536, i), at, 'processed', 'alertmanager', 'modelpager',
    '{}:{alertname="' || alertname || '"}', 'http://alertmanager:9093', 'alertmanager', 1, 0, 0, 0, NULL, '', '[]',
    CAST(printf('%-1200s', '{"version":"4","alerts":[{"labels":{"alertname":"' || alertname || '"}}]}') AS BLOB), at + 15
FROM part WHERE i % 16 = 0 ORDER BY i;
DELETE FROM opened WHERE j < {end} / 4 - 4;
