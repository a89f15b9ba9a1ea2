-- +goose Up
-- Models as they were trained or came of the federation: what a facility's sensors detect with, and what they did before.
CREATE TABLE models (
    version     INTEGER PRIMARY KEY AUTOINCREMENT, -- one row of numbers over all facilities; none is given twice
    facility_id TEXT NOT NULL REFERENCES facilities (id),
    kind        TEXT NOT NULL, -- isolation-forest, autoencoder
    source      TEXT NOT NULL CHECK (source IN ('train', 'federation')),
    round_id    INTEGER, -- of the federation; a round may not be kept as long as its model
    file        BLOB NOT NULL,
    fingerprint TEXT NOT NULL, -- SHA-256 of file, in hex
    rows        INTEGER NOT NULL, -- vectors trained and validated on
    metrics     TEXT NOT NULL, -- JSON
    created_at  TEXT NOT NULL, -- wall time
    active      INTEGER NOT NULL -- boolean
);
-- The same file twice is one model.
CREATE UNIQUE INDEX models_file ON models (facility_id, kind, fingerprint);
-- One model of a kind is at work at a facility.
CREATE UNIQUE INDEX models_active ON models (facility_id, kind) WHERE active;

-- +goose Down
DROP TABLE models;
