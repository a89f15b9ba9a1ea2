-- +goose Up
CREATE TABLE predictions (
    id                     uuid PRIMARY KEY, -- UUIDv7
    timestamp              stamp NOT NULL, -- data time
    facility_id            text COLLATE "C" NOT NULL REFERENCES facilities (id),
    source                 text NOT NULL, -- the engine that predicts
    current_technique      text NOT NULL,
    current_technique_name text NOT NULL,
    alert_id               uuid REFERENCES alerts (id) ON DELETE SET NULL,
    validation_time        stamp, -- NULL: not validated
    version                bigint NOT NULL
);
-- The list: newest first, ties by id; of all facilities, of some, of those validated.
CREATE INDEX predictions_newest ON predictions (timestamp, id);
CREATE INDEX predictions_facility_newest ON predictions (facility_id, timestamp, id);
CREATE INDEX predictions_validated_newest ON predictions (timestamp, id) WHERE validation_time IS NOT NULL;
-- An alert that is not kept any more.
CREATE INDEX predictions_alert ON predictions (alert_id);

CREATE TABLE predicted_techniques (
    prediction_id  uuid NOT NULL REFERENCES predictions (id) ON DELETE CASCADE,
    rank           integer NOT NULL, -- from 1
    technique_id   text COLLATE "C" NOT NULL,
    technique_name text NOT NULL,
    probability    double precision NOT NULL CHECK (probability BETWEEN 0 AND 1),
    timeframe      text NOT NULL,
    PRIMARY KEY (prediction_id, rank),
    UNIQUE (prediction_id, technique_id)
);

CREATE TABLE fl_rounds (
    id                       bigint PRIMARY KEY,
    round_number             bigint NOT NULL UNIQUE,
    status                   text COLLATE "C" NOT NULL CHECK (status IN ('in-progress', 'completed', 'failed')),
    phase                    text NOT NULL CHECK (phase IN ('distributing', 'training', 'aggregating', 'complete')),
    progress                 double precision NOT NULL CHECK (progress BETWEEN 0 AND 100),
    first_progress           double precision NOT NULL, -- of its first report
    epsilon                  double precision,
    delta                    double precision,
    data_size                bigint, -- bytes
    encryption               text,
    privacy_budget_remaining double precision,
    model_accuracy           double precision,
    clients_active           bigint, -- as reported; NULL: counted
    total_clients            bigint,
    clients                  json NOT NULL, -- as they stood at the round's end
    start_time               stamp NOT NULL,
    last_update              stamp NOT NULL,
    end_time                 stamp, -- NULL: in progress
    reason                   text NOT NULL, -- why it failed
    version                  bigint NOT NULL
);
-- Rounds run one at a time.
CREATE UNIQUE INDEX fl_rounds_in_progress ON fl_rounds (status) WHERE status = 'in-progress';

CREATE TABLE fl_clients (
    id            text COLLATE "C" PRIMARY KEY,
    facility_id   text COLLATE "C" NOT NULL REFERENCES facilities (id),
    name          text NOT NULL,
    status        text NOT NULL CHECK (status IN ('active', 'delayed', 'offline')),
    progress      double precision NOT NULL,
    current_epoch bigint NOT NULL,
    total_epochs  bigint NOT NULL,
    loss          double precision,
    accuracy      double precision,
    round_id      bigint REFERENCES fl_rounds (id), -- the round in progress when it last reported; NULL: none was
    last_update   stamp NOT NULL,
    version       bigint NOT NULL
);
CREATE INDEX fl_clients_round ON fl_clients (round_id);

-- +goose Down
DROP TABLE fl_clients;
DROP TABLE fl_rounds;
DROP TABLE predicted_techniques;
DROP TABLE predictions;
