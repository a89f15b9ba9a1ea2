-- +goose Up
-- What changed and is not on Kafka yet: which thing, not what it says, so that of many changes the last is told.
CREATE TABLE outbox (
    topic   TEXT NOT NULL,
    id      TEXT NOT NULL, -- of the alert, prediction, round or client
    type    TEXT NOT NULL, -- of the live message, as alert_created
    node    TEXT NOT NULL, -- where it happened
    changed TEXT NOT NULL, -- wall time of the newest change
    PRIMARY KEY (topic, id)
);
CREATE INDEX outbox_changed ON outbox (changed);

-- +goose Down
DROP TABLE outbox;
