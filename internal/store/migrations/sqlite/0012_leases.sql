-- +goose Up
-- What one node at a time may do. Times are Unix milliseconds.
CREATE TABLE leases (
    name   TEXT PRIMARY KEY,
    holder TEXT NOT NULL, -- a node; empty: none
    until  INTEGER NOT NULL, -- when it is over, where the holder does not take it again
    wanted INTEGER NOT NULL -- until when another node waits for it
);

-- The nodes that serve.
CREATE TABLE nodes (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL, -- for people
    until          INTEGER NOT NULL, -- when it counts as gone, where it does not say anything until then
    joined         INTEGER NOT NULL, -- what it tells listeners, those of other nodes hear too
    events_per_sec REAL NOT NULL,
    lag            INTEGER NOT NULL -- batches that have come to it and are not durable yet
);

-- +goose Down
DROP TABLE nodes;
DROP TABLE leases;
