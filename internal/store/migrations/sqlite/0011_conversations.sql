-- +goose Up
-- Who asked whom for what, as sensors saw it.
CREATE TABLE conversations (
    facility_id TEXT NOT NULL REFERENCES facilities (id),
    client      TEXT NOT NULL, -- address
    server      TEXT NOT NULL,
    port        INTEGER NOT NULL, -- the server's; 0: there is none
    protocol    TEXT NOT NULL,
    first_seen  TEXT NOT NULL, -- data time; what lies between the two has been counted
    last_seen   TEXT NOT NULL,
    count       INTEGER NOT NULL,
    functions   TEXT NOT NULL, -- JSON: array
    PRIMARY KEY (facility_id, client, server, port)
);
CREATE INDEX conversations_server ON conversations (facility_id, server);
CREATE INDEX conversations_count ON conversations (facility_id, count);

-- The Purdue level of an asset, '' where it is not known.
ALTER TABLE assets ADD COLUMN level TEXT NOT NULL DEFAULT '';
UPDATE assets SET level = CASE role WHEN 'controller' THEN '1' WHEN 'master' THEN '2' WHEN 'engineering-workstation' THEN '3' ELSE '' END;
CREATE INDEX alerts_asset_open ON alerts (facility_id, asset) WHERE status IN ('new', 'acknowledged');

-- +goose Down
DROP INDEX alerts_asset_open;
ALTER TABLE assets DROP COLUMN level;
DROP TABLE conversations;
