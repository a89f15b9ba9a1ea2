-- +goose Up
CREATE TABLE assets (
    facility_id    text COLLATE "C" NOT NULL REFERENCES facilities (id),
    position       text COLLATE "C" NOT NULL, -- the address or MAC as hexadecimal digits of fixed width: sorts as addresses do
    ip             text NOT NULL, -- '' where it has none
    mac            text NOT NULL, -- the one it was seen with last, '' where none was seen
    mac_seen       stamp, -- data time
    vendor         text NOT NULL,
    behind_gateway boolean NOT NULL, -- mac and vendor are those of the gateway before it
    role           text NOT NULL,
    traits         json NOT NULL, -- array
    protocols      json NOT NULL, -- array
    peers          json NOT NULL, -- array of addresses
    first_seen     stamp, -- data time; NULL: named, but not seen yet
    last_seen      stamp,
    name           text NOT NULL, -- given by people, as is the zone
    zone           text NOT NULL,
    PRIMARY KEY (facility_id, position)
);

-- The sensors that stand at facilities, as they last told of themselves.
CREATE TABLE sensors (
    facility_id     text COLLATE "C" PRIMARY KEY REFERENCES facilities (id),
    version         text NOT NULL, -- of the program
    source          text NOT NULL, -- what it taps
    heard           stamp NOT NULL, -- wall time of the server
    clock_offset    bigint NOT NULL, -- milliseconds by which its clock is ahead of the server's
    spooled         bigint NOT NULL, -- bytes that wait at the sensor
    lost_windows    bigint NOT NULL,
    lost_detections bigint NOT NULL
);

-- The 60 s before an alert, as they were when it was raised.
CREATE TABLE alert_evidence (
    alert_id uuid PRIMARY KEY REFERENCES alerts (id) ON DELETE CASCADE,
    seconds  bytea NOT NULL -- JSON, deflated (RFC 1951)
);

ALTER TABLE baselines ADD COLUMN version bigint NOT NULL DEFAULT 1; -- grows by one with each change

-- How often each rule has fired, without reading the sources themselves.
CREATE INDEX alert_sources_model ON alert_sources (model_name, counted_until, count);

-- +goose Down
DROP INDEX alert_sources_model;
ALTER TABLE baselines DROP COLUMN version;
DROP TABLE alert_evidence;
DROP TABLE sensors;
DROP TABLE assets;
