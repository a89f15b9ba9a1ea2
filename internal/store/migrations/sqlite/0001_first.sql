-- Times are UTC text of fixed width, "2006-01-02T15:04:05.000000000Z": it sorts as time does, to the nanosecond.

-- +goose Up
CREATE TABLE facilities (
    id        TEXT PRIMARY KEY,
    last_seen TEXT -- data time of the newest window or detection; NULL: none yet
);

CREATE TABLE alerts (
    id                     TEXT PRIMARY KEY, -- UUIDv7
    facility_id            TEXT NOT NULL REFERENCES facilities (id),
    asset                  TEXT NOT NULL,
    timestamp              TEXT NOT NULL, -- data time of the first detection
    last_seen              TEXT NOT NULL, -- data time of the newest
    severity               TEXT NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low')),
    status                 TEXT NOT NULL CHECK (status IN ('new', 'acknowledged', 'resolved', 'false-positive')),
    title                  TEXT NOT NULL,
    description            TEXT NOT NULL,
    attack_type            TEXT NOT NULL,
    attack_name            TEXT NOT NULL,
    techniques             TEXT NOT NULL, -- JSON: array of technique ids
    correlation_confidence REAL NOT NULL,
    correlation_summary    TEXT NOT NULL,
    context_analysis       TEXT NOT NULL,
    assignee               TEXT NOT NULL,
    count                  INTEGER NOT NULL,
    version                INTEGER NOT NULL
);
-- The list: newest first, ties by id; of all facilities, of some.
CREATE INDEX alerts_newest ON alerts (timestamp, id);
CREATE INDEX alerts_facility_newest ON alerts (facility_id, timestamp, id);
-- Correlation: the alerts of one asset near a time.
CREATE INDEX alerts_asset ON alerts (facility_id, asset, last_seen);

CREATE TABLE alert_sources (
    alert_id       TEXT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    position       INTEGER NOT NULL, -- order of appearance, from 0
    layer          INTEGER NOT NULL,
    model_name     TEXT NOT NULL,
    severity       TEXT NOT NULL,
    confidence     REAL NOT NULL,
    technique      TEXT NOT NULL,
    technique_name TEXT NOT NULL,
    title          TEXT NOT NULL,
    evidence       TEXT NOT NULL,
    look_at        TEXT NOT NULL,
    detection_time TEXT NOT NULL,
    counted_until  TEXT NOT NULL,
    count          INTEGER NOT NULL,
    conversation   TEXT NOT NULL, -- JSON: client, server, protocol, port
    PRIMARY KEY (alert_id, position)
);

CREATE TABLE alert_events (
    alert_id TEXT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    position INTEGER NOT NULL, -- order of happening, from 0
    time     TEXT NOT NULL,
    kind     TEXT NOT NULL,
    author   TEXT NOT NULL, -- the model or the person
    text     TEXT NOT NULL,
    PRIMARY KEY (alert_id, position)
);

CREATE TABLE network_data (
    id                    INTEGER PRIMARY KEY,
    timestamp             TEXT NOT NULL, -- beginning of the second
    facility_id           TEXT NOT NULL REFERENCES facilities (id),
    packets_per_sec       REAL NOT NULL,
    bytes_per_sec         REAL NOT NULL,
    unique_src_ips        INTEGER NOT NULL,
    unique_dest_ips       INTEGER NOT NULL,
    protocol_distribution REAL NOT NULL,
    failed_connections    INTEGER NOT NULL,
    avg_packet_size       REAL NOT NULL,
    inter_arrival_time    REAL NOT NULL, -- milliseconds
    raw_features          TEXT NOT NULL, -- JSON
    UNIQUE (facility_id, timestamp)
);

CREATE TABLE baselines (
    facility_id TEXT PRIMARY KEY REFERENCES facilities (id),
    learned     TEXT NOT NULL -- JSON, as the detectors wrote it
);

-- +goose Down
DROP TABLE baselines;
DROP TABLE network_data;
DROP TABLE alert_events;
DROP TABLE alert_sources;
DROP TABLE alerts;
DROP TABLE facilities;
