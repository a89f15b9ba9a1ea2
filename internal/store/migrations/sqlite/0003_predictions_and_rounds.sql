-- +goose Up
CREATE TABLE predictions (
    id                     TEXT PRIMARY KEY, -- UUIDv7
    timestamp              TEXT NOT NULL, -- data time
    facility_id            TEXT NOT NULL REFERENCES facilities (id),
    source                 TEXT NOT NULL, -- the engine that predicts
    current_technique      TEXT NOT NULL,
    current_technique_name TEXT NOT NULL,
    alert_id               TEXT REFERENCES alerts (id) ON DELETE SET NULL,
    validation_time        TEXT, -- NULL: not validated
    version                INTEGER NOT NULL
);
-- The list: newest first, ties by id; of all facilities, of some, of those validated.
CREATE INDEX predictions_newest ON predictions (timestamp, id);
CREATE INDEX predictions_facility_newest ON predictions (facility_id, timestamp, id);
CREATE INDEX predictions_validated_newest ON predictions (timestamp, id) WHERE validation_time IS NOT NULL;
-- An alert that is not kept any more.
CREATE INDEX predictions_alert ON predictions (alert_id);

CREATE TABLE predicted_techniques (
    prediction_id  TEXT NOT NULL REFERENCES predictions (id) ON DELETE CASCADE,
    rank           INTEGER NOT NULL, -- from 1
    technique_id   TEXT NOT NULL,
    technique_name TEXT NOT NULL,
    probability    REAL NOT NULL CHECK (probability BETWEEN 0 AND 1),
    timeframe      TEXT NOT NULL,
    PRIMARY KEY (prediction_id, rank),
    UNIQUE (prediction_id, technique_id)
);

CREATE TABLE fl_rounds (
    id                       INTEGER PRIMARY KEY,
    round_number             INTEGER NOT NULL UNIQUE,
    status                   TEXT NOT NULL CHECK (status IN ('in-progress', 'completed', 'failed')),
    phase                    TEXT NOT NULL CHECK (phase IN ('distributing', 'training', 'aggregating', 'complete')),
    progress                 REAL NOT NULL CHECK (progress BETWEEN 0 AND 100),
    first_progress           REAL NOT NULL, -- of its first report
    epsilon                  REAL,
    delta                    REAL,
    data_size                INTEGER, -- bytes
    encryption               TEXT,
    privacy_budget_remaining REAL,
    model_accuracy           REAL,
    clients_active           INTEGER, -- as reported; NULL: counted
    total_clients            INTEGER,
    clients                  TEXT NOT NULL, -- JSON, as they stood at the round's end
    start_time               TEXT NOT NULL,
    last_update              TEXT NOT NULL,
    end_time                 TEXT, -- NULL: in progress
    reason                   TEXT NOT NULL, -- why it failed
    version                  INTEGER NOT NULL
);
-- Rounds run one at a time.
CREATE UNIQUE INDEX fl_rounds_in_progress ON fl_rounds (status) WHERE status = 'in-progress';

CREATE TABLE fl_clients (
    id            TEXT PRIMARY KEY,
    facility_id   TEXT NOT NULL REFERENCES facilities (id),
    name          TEXT NOT NULL,
    status        TEXT NOT NULL CHECK (status IN ('active', 'delayed', 'offline')),
    progress      REAL NOT NULL,
    current_epoch INTEGER NOT NULL,
    total_epochs  INTEGER NOT NULL,
    loss          REAL,
    accuracy      REAL,
    round_id      INTEGER REFERENCES fl_rounds (id), -- the round in progress when it last reported; NULL: none was
    last_update   TEXT NOT NULL,
    version       INTEGER NOT NULL
);
CREATE INDEX fl_clients_round ON fl_clients (round_id);

-- +goose Down
DROP TABLE fl_clients;
DROP TABLE fl_rounds;
DROP TABLE predicted_techniques;
DROP TABLE predictions;
