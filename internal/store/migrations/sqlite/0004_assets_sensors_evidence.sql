-- +goose Up
CREATE TABLE assets (
    facility_id    TEXT NOT NULL REFERENCES facilities (id),
    position       TEXT NOT NULL, -- the address or MAC as hexadecimal digits of fixed width: sorts as addresses do
    ip             TEXT NOT NULL, -- '' where it has none
    mac            TEXT NOT NULL, -- the one it was seen with last, '' where none was seen
    mac_seen       TEXT, -- data time
    vendor         TEXT NOT NULL,
    behind_gateway INTEGER NOT NULL, -- boolean: mac and vendor are those of the gateway before it
    role           TEXT NOT NULL,
    traits         TEXT NOT NULL, -- JSON: array
    protocols      TEXT NOT NULL, -- JSON: array
    peers          TEXT NOT NULL, -- JSON: array of addresses
    first_seen     TEXT, -- data time; NULL: named, but not seen yet
    last_seen      TEXT,
    name           TEXT NOT NULL, -- given by people, as is the zone
    zone           TEXT NOT NULL,
    PRIMARY KEY (facility_id, position)
);

-- The sensors that stand at facilities, as they last told of themselves.
CREATE TABLE sensors (
    facility_id     TEXT PRIMARY KEY REFERENCES facilities (id),
    version         TEXT NOT NULL, -- of the program
    source          TEXT NOT NULL, -- what it taps
    heard           TEXT NOT NULL, -- wall time of the server
    clock_offset    INTEGER NOT NULL, -- milliseconds by which its clock is ahead of the server's
    spooled         INTEGER NOT NULL, -- bytes that wait at the sensor
    lost_windows    INTEGER NOT NULL,
    lost_detections INTEGER NOT NULL
);

-- The 60 s before an alert, as they were when it was raised.
CREATE TABLE alert_evidence (
    alert_id TEXT PRIMARY KEY REFERENCES alerts (id) ON DELETE CASCADE,
    seconds  BLOB NOT NULL -- JSON, deflated (RFC 1951)
);

ALTER TABLE baselines ADD COLUMN version INTEGER NOT NULL DEFAULT 1; -- grows by one with each change

-- How often each rule has fired, without reading the sources themselves.
CREATE INDEX alert_sources_model ON alert_sources (model_name, counted_until, count);

-- +goose Down
DROP INDEX alert_sources_model;
ALTER TABLE baselines DROP COLUMN version;
DROP TABLE alert_evidence;
DROP TABLE sensors;
DROP TABLE assets;
