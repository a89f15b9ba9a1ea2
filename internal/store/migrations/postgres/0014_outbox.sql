-- The same table as sqlite/0014_outbox.sql. A test compares them.

-- +goose Up
-- What changed and is not on Kafka yet: which thing, not what it says, so that of many changes the last is told.
CREATE TABLE outbox (
    topic   text COLLATE "C" NOT NULL,
    id      text COLLATE "C" NOT NULL, -- of the alert, prediction, round or client
    type    text COLLATE "C" NOT NULL, -- of the live message, as alert_created
    node    text COLLATE "C" NOT NULL, -- where it happened
    changed stamp NOT NULL, -- wall time of the newest change
    PRIMARY KEY (topic, id)
);
CREATE INDEX outbox_changed ON outbox (changed);

-- +goose Down
DROP TABLE outbox;
