-- +goose Up
ALTER TABLE fl_rounds ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0; -- boolean: its turn has not come yet
ALTER TABLE fl_rounds ADD COLUMN expected_end TEXT; -- when its engine thinks that it ends; NULL: it does not say
DROP INDEX fl_rounds_in_progress;
-- Rounds run one at a time; others may wait.
CREATE UNIQUE INDEX fl_rounds_in_progress ON fl_rounds (status) WHERE status = 'in-progress' AND NOT waiting;

-- What this program's coordinator knows of its rounds, beside what is shown of them. Another engine's have no row.
CREATE TABLE fl_runs (
    round_id  INTEGER PRIMARY KEY REFERENCES fl_rounds (id) ON DELETE CASCADE,
    scope     TEXT NOT NULL, -- the facilities that it is among, by commas; '': all
    step      TEXT NOT NULL, -- what is to be done next
    plan      TEXT NOT NULL, -- JSON: what clients are asked for
    members   TEXT NOT NULL, -- JSON: array of the clients that were chosen
    eligible  INTEGER NOT NULL, -- clients that could have been
    base      INTEGER NOT NULL, -- version of the parameters that it begins with; 0: not decided yet
    candidate INTEGER NOT NULL, -- version of those that it made; 0: none yet
    deadline  TEXT, -- of the step; NULL: it has none
    bytes_down INTEGER NOT NULL, -- of messages to clients
    bytes_up  INTEGER NOT NULL -- and from them
);
CREATE INDEX fl_runs_open ON fl_runs (round_id) WHERE step <> 'ended';

-- What clients made of a round's parameters: each counts once, and is removed when the round has ended.
CREATE TABLE fl_updates (
    round_id    INTEGER NOT NULL REFERENCES fl_rounds (id) ON DELETE CASCADE,
    client_id   TEXT NOT NULL,
    examples    INTEGER NOT NULL, -- vectors trained on
    change      BLOB NOT NULL, -- their parameters less the round's: float32, little-endian
    received_at TEXT NOT NULL,
    PRIMARY KEY (round_id, client_id)
);

-- What clients found of a round's candidate on data that nobody trained on.
CREATE TABLE fl_evaluations (
    round_id  INTEGER NOT NULL REFERENCES fl_rounds (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    found     TEXT NOT NULL, -- JSON
    PRIMARY KEY (round_id, client_id)
);

-- The parameters that clients share, by version.
CREATE TABLE fl_models (
    version    INTEGER PRIMARY KEY,
    round_id   INTEGER REFERENCES fl_rounds (id) ON DELETE SET NULL, -- that made it; NULL: the first, untrained ones
    scope      TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('initial', 'candidate', 'published', 'rejected')),
    shape      TEXT NOT NULL, -- JSON: the network's
    params     BLOB NOT NULL, -- float32, little-endian
    cost       TEXT NOT NULL, -- JSON: what it cost in privacy; null: no noise was added
    created_at TEXT NOT NULL
);
CREATE INDEX fl_models_scope ON fl_models (scope, version);
CREATE INDEX fl_models_round ON fl_models (round_id);

-- Clients outside this process that have asked to take part.
CREATE TABLE fl_members (
    id          TEXT PRIMARY KEY,
    facility_id TEXT NOT NULL REFERENCES facilities (id),
    name        TEXT NOT NULL,
    examples    INTEGER NOT NULL, -- that it could train on
    heard_at    TEXT NOT NULL -- wall time of the server
);
CREATE INDEX fl_members_heard ON fl_members (heard_at);

-- +goose Down
DROP TABLE fl_members;
DROP TABLE fl_models;
DROP TABLE fl_evaluations;
DROP TABLE fl_updates;
UPDATE fl_clients SET round_id = NULL WHERE round_id IN (SELECT round_id FROM fl_runs WHERE step <> 'ended');
DELETE FROM fl_rounds WHERE id IN (SELECT round_id FROM fl_runs WHERE step <> 'ended');
DROP TABLE fl_runs;
DROP INDEX fl_rounds_in_progress;
CREATE UNIQUE INDEX fl_rounds_in_progress ON fl_rounds (status) WHERE status = 'in-progress';
ALTER TABLE fl_rounds DROP COLUMN expected_end;
ALTER TABLE fl_rounds DROP COLUMN waiting;
