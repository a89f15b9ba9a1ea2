-- +goose Up
CREATE TABLE conversations (
    facility_id text COLLATE "C" NOT NULL REFERENCES facilities (id),
    client      text COLLATE "C" NOT NULL, -- address
    server      text COLLATE "C" NOT NULL,
    port        integer NOT NULL, -- the server's; 0: there is none
    protocol    text NOT NULL,
    first_seen  stamp NOT NULL, -- data time; what lies between the two has been counted
    last_seen   stamp NOT NULL,
    count       bigint NOT NULL,
    functions   json NOT NULL, -- array
    PRIMARY KEY (facility_id, client, server, port)
);
CREATE INDEX conversations_server ON conversations (facility_id, server);
CREATE INDEX conversations_count ON conversations (facility_id, count);

-- The Purdue level of an asset, '' where it is not known.
ALTER TABLE assets ADD COLUMN level text NOT NULL DEFAULT '';
UPDATE assets SET level = CASE role WHEN 'controller' THEN '1' WHEN 'master' THEN '2' WHEN 'engineering-workstation' THEN '3' ELSE '' END;
CREATE INDEX alerts_asset_open ON alerts (facility_id, asset) WHERE status IN ('new', 'acknowledged');

-- +goose Down
DROP INDEX alerts_asset_open;
ALTER TABLE assets DROP COLUMN level;
DROP TABLE conversations;
