-- The same tables as sqlite/0002_alerts.sql. A test compares them.

-- +goose Up
ALTER TABLE alerts ADD COLUMN place bigint; -- its number in alert_terms, from 0 in order of saving; NULL: not indexed yet
ALTER TABLE alerts ADD COLUMN muted boolean NOT NULL DEFAULT false;
ALTER TABLE alerts ADD COLUMN external boolean NOT NULL DEFAULT false; -- a detector outside reported it
ALTER TABLE alerts ADD COLUMN external_id text COLLATE "C" NOT NULL DEFAULT ''; -- what it is called there; '': it has no name
ALTER TABLE alerts ADD COLUMN incident_id uuid; -- the id of the first alert of its incident; NULL: not indexed yet
ALTER TABLE alert_sources ADD COLUMN context_evidence text NOT NULL DEFAULT '';
ALTER TABLE alert_sources ADD COLUMN muted boolean NOT NULL DEFAULT false;

-- What a list is sorted by, with the place, so that a walk along it needs nothing else.
DROP INDEX alerts_newest;
DROP INDEX alerts_facility_newest;
CREATE INDEX alerts_newest ON alerts (timestamp, id, place);
CREATE INDEX alerts_last_seen ON alerts (last_seen, id, place);
-- From the places that a filter left to what they are sorted by.
CREATE INDEX alerts_place ON alerts (place, timestamp, last_seen, id);
CREATE UNIQUE INDEX alerts_external ON alerts (facility_id, external_id) WHERE external_id <> '';
CREATE INDEX alerts_incident ON alerts (incident_id, timestamp, id);

-- The inverted index that filters, search, totals and statistics are answered from: for each term (a severity, a
-- facility, a day, the beginning of a word …) which alerts have it, as sets of places. See alert_index.go.
CREATE TABLE alert_terms (
    term  text COLLATE "C" NOT NULL,
    block bigint NOT NULL, -- place / 4096
    bits  bytea NOT NULL, -- the places in it: 512 bytes of bits, or fewer bytes of 16-bit numbers
    PRIMARY KEY (term, block)
);
CREATE TABLE alert_places (
    id     bigint PRIMARY KEY CHECK (id = 1),
    places bigint NOT NULL -- how many are given out
);

CREATE TABLE mutes (
    id          uuid PRIMARY KEY, -- UUIDv7
    facility_id text COLLATE "C" NOT NULL, -- '': any, as of the next three
    asset       text NOT NULL,
    rule        text NOT NULL,
    technique   text NOT NULL,
    begins      stamp NOT NULL, -- data time
    ends        stamp NOT NULL,
    reason      text NOT NULL,
    author      text NOT NULL,
    created_at  stamp NOT NULL
);
CREATE INDEX mutes_ends ON mutes (ends, id);

-- Runs of detections that name the same client, no two neighbours more than an hour apart.
CREATE TABLE attacker_spells (
    facility_id text COLLATE "C" NOT NULL REFERENCES facilities (id),
    client      text COLLATE "C" NOT NULL,
    first_seen  stamp NOT NULL,
    last_seen   stamp NOT NULL,
    incident_id uuid NOT NULL,
    PRIMARY KEY (facility_id, client, first_seen)
);
CREATE INDEX attacker_spells_last ON attacker_spells (facility_id, client, last_seen);
CREATE INDEX attacker_spells_incident ON attacker_spells (incident_id, first_seen, client);

-- Incidents of two or more alerts.
CREATE TABLE incidents (
    id          uuid PRIMARY KEY, -- of its first alert
    facility_id text COLLATE "C" NOT NULL REFERENCES facilities (id),
    first_seen  stamp NOT NULL,
    last_seen   stamp NOT NULL,
    alerts      bigint NOT NULL
);
CREATE INDEX incidents_newest ON incidents (last_seen, id);
CREATE INDEX incidents_facility_newest ON incidents (facility_id, last_seen, id);

-- +goose Down
DROP TABLE incidents;
DROP TABLE attacker_spells;
DROP TABLE mutes;
DROP TABLE alert_places;
DROP TABLE alert_terms;
DROP INDEX alerts_incident;
DROP INDEX alerts_external;
DROP INDEX alerts_place;
DROP INDEX alerts_last_seen;
DROP INDEX alerts_newest;
ALTER TABLE alert_sources DROP COLUMN muted;
ALTER TABLE alert_sources DROP COLUMN context_evidence;
ALTER TABLE alerts DROP COLUMN incident_id;
ALTER TABLE alerts DROP COLUMN external_id;
ALTER TABLE alerts DROP COLUMN external;
ALTER TABLE alerts DROP COLUMN muted;
ALTER TABLE alerts DROP COLUMN place;
CREATE INDEX alerts_newest ON alerts (timestamp, id);
CREATE INDEX alerts_facility_newest ON alerts (facility_id, timestamp, id);
