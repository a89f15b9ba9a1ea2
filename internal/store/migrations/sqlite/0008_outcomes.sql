-- +goose Up
ALTER TABLE predictions ADD COLUMN status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'validated', 'expired'));
ALTER TABLE predictions ADD COLUMN expires_at TEXT NOT NULL DEFAULT ''; -- data time: when the last timeframe is over
ALTER TABLE predictions ADD COLUMN seen TEXT NOT NULL DEFAULT '[]'; -- JSON: technique ids that it was made from
ALTER TABLE predicted_techniques ADD COLUMN until TEXT NOT NULL DEFAULT ''; -- data time: when its timeframe is over
ALTER TABLE predicted_techniques ADD COLUMN why TEXT NOT NULL DEFAULT '[]'; -- JSON
ALTER TABLE predicted_techniques ADD COLUMN observed_at TEXT; -- data time; NULL: not so far
ALTER TABLE predicted_techniques ADD COLUMN observed_in TEXT; -- the alert
ALTER TABLE facilities ADD COLUMN heard_at TEXT; -- wall time of the server when last_seen moved; NULL: never

-- What was reported before has a day: its timeframes, which are words, are not read here.
UPDATE predictions SET expires_at = coalesce(strftime('%Y-%m-%dT%H:%M:%S', substr(timestamp, 1, 19), '+1 day') || substr(timestamp, 20), timestamp);
UPDATE predictions SET status = 'validated' WHERE validation_time IS NOT NULL;
UPDATE predicted_techniques SET until = (SELECT p.expires_at FROM predictions p WHERE p.id = prediction_id);

CREATE INDEX predictions_open ON predictions (facility_id, expires_at) WHERE status = 'open';
CREATE INDEX predictions_open_newest ON predictions (timestamp, id) WHERE status = 'open';
CREATE INDEX predictions_expired_newest ON predictions (timestamp, id) WHERE status = 'expired';
-- The next one that a technique bears out.
CREATE INDEX predicted_techniques_awaited ON predicted_techniques (technique_id, until) WHERE observed_at IS NULL;

-- Which alert showed which technique, from when to when: detections that a mute covered left out.
CREATE TABLE technique_sightings (
    alert_id    TEXT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    technique   TEXT NOT NULL,
    facility_id TEXT NOT NULL REFERENCES facilities (id),
    first_seen  TEXT NOT NULL, -- data time
    last_seen   TEXT NOT NULL,
    PRIMARY KEY (alert_id, technique)
);
CREATE INDEX technique_sightings_seen ON technique_sightings (facility_id, technique, last_seen);
CREATE INDEX technique_sightings_recent ON technique_sightings (facility_id, last_seen);
INSERT INTO technique_sightings (alert_id, technique, facility_id, first_seen, last_seen)
    SELECT s.alert_id, s.technique, a.facility_id, min(s.detection_time), max(s.counted_until)
    FROM alert_sources s JOIN alerts a ON a.id = s.alert_id WHERE s.technique <> '' AND NOT s.muted
    GROUP BY s.alert_id, s.technique, a.facility_id;

-- ATT&CK as `breakwater attack import` read it, with MITRE's texts. No row: what the program brings.
CREATE TABLE attack_catalogue (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    imported_at TEXT NOT NULL,
    catalogue   TEXT NOT NULL -- JSON
);

-- +goose Down
DROP TABLE attack_catalogue;
DROP TABLE technique_sightings;
DROP INDEX predicted_techniques_awaited;
DROP INDEX predictions_expired_newest;
DROP INDEX predictions_open_newest;
DROP INDEX predictions_open;
ALTER TABLE facilities DROP COLUMN heard_at;
ALTER TABLE predicted_techniques DROP COLUMN observed_in;
ALTER TABLE predicted_techniques DROP COLUMN observed_at;
ALTER TABLE predicted_techniques DROP COLUMN why;
ALTER TABLE predicted_techniques DROP COLUMN until;
ALTER TABLE predictions DROP COLUMN seen;
ALTER TABLE predictions DROP COLUMN expires_at;
ALTER TABLE predictions DROP COLUMN status;
