-- The same tables as sqlite/0012_leases.sql. A test compares them.

-- +goose Up
-- What one node at a time may do. Times are Unix milliseconds by this server's clock, which is the same for all nodes.
CREATE TABLE leases (
    name   text COLLATE "C" PRIMARY KEY,
    holder text NOT NULL, -- a node; empty: none
    until  bigint NOT NULL, -- when it is over, where the holder does not take it again
    wanted bigint NOT NULL -- until when another node waits for it
);

-- The nodes that serve.
CREATE TABLE nodes (
    id             text COLLATE "C" PRIMARY KEY,
    name           text NOT NULL, -- for people
    until          bigint NOT NULL, -- when it counts as gone, where it does not say anything until then
    joined         boolean NOT NULL, -- what it tells listeners, those of other nodes hear too
    events_per_sec double precision NOT NULL,
    lag            bigint NOT NULL -- batches that have come to it and are not durable yet
);

-- +goose Down
DROP TABLE nodes;
DROP TABLE leases;
