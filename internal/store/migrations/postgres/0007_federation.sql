-- +goose Up
ALTER TABLE fl_rounds ADD COLUMN waiting boolean NOT NULL DEFAULT false; -- its turn has not come yet
ALTER TABLE fl_rounds ADD COLUMN expected_end stamp; -- when its engine thinks that it ends; NULL: it does not say
DROP INDEX fl_rounds_in_progress;
-- Rounds run one at a time; others may wait.
CREATE UNIQUE INDEX fl_rounds_in_progress ON fl_rounds (status) WHERE status = 'in-progress' AND NOT waiting;

-- What this program's coordinator knows of its rounds, beside what is shown of them. Another engine's have no row.
CREATE TABLE fl_runs (
    round_id  bigint PRIMARY KEY REFERENCES fl_rounds (id) ON DELETE CASCADE,
    scope     text COLLATE "C" NOT NULL, -- the facilities that it is among, by commas; '': all
    step      text NOT NULL, -- what is to be done next
    plan      json NOT NULL, -- what clients are asked for
    members   json NOT NULL, -- array of the clients that were chosen
    eligible  bigint NOT NULL, -- clients that could have been
    base      bigint NOT NULL, -- version of the parameters that it begins with; 0: not decided yet
    candidate bigint NOT NULL, -- version of those that it made; 0: none yet
    deadline  stamp, -- of the step; NULL: it has none
    bytes_down bigint NOT NULL, -- of messages to clients
    bytes_up  bigint NOT NULL -- and from them
);
CREATE INDEX fl_runs_open ON fl_runs (round_id) WHERE step <> 'ended';

-- What clients made of a round's parameters: each counts once, and is removed when the round has ended.
CREATE TABLE fl_updates (
    round_id    bigint NOT NULL REFERENCES fl_rounds (id) ON DELETE CASCADE,
    client_id   text COLLATE "C" NOT NULL,
    examples    bigint NOT NULL, -- vectors trained on
    change      bytea NOT NULL, -- their parameters less the round's: float32, little-endian
    received_at stamp NOT NULL,
    PRIMARY KEY (round_id, client_id)
);

-- What clients found of a round's candidate on data that nobody trained on.
CREATE TABLE fl_evaluations (
    round_id  bigint NOT NULL REFERENCES fl_rounds (id) ON DELETE CASCADE,
    client_id text COLLATE "C" NOT NULL,
    found     json NOT NULL,
    PRIMARY KEY (round_id, client_id)
);

-- The parameters that clients share, by version.
CREATE TABLE fl_models (
    version    bigint PRIMARY KEY,
    round_id   bigint REFERENCES fl_rounds (id) ON DELETE SET NULL, -- that made it; NULL: the first, untrained ones
    scope      text COLLATE "C" NOT NULL,
    state      text NOT NULL CHECK (state IN ('initial', 'candidate', 'published', 'rejected')),
    shape      json NOT NULL, -- the network's
    params     bytea NOT NULL, -- float32, little-endian
    cost       json NOT NULL, -- what it cost in privacy; null: no noise was added
    created_at stamp NOT NULL
);
CREATE INDEX fl_models_scope ON fl_models (scope, version);
CREATE INDEX fl_models_round ON fl_models (round_id);

-- Clients outside this process that have asked to take part.
CREATE TABLE fl_members (
    id          text COLLATE "C" PRIMARY KEY,
    facility_id text COLLATE "C" NOT NULL REFERENCES facilities (id),
    name        text NOT NULL,
    examples    bigint NOT NULL, -- that it could train on
    heard_at    stamp NOT NULL -- wall time of the server
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
