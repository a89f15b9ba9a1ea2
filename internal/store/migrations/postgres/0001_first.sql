-- The same tables as sqlite/0001_first.sql. A test compares them.
--
-- Times are the domain stamp, UTC text of fixed width as on SQLite, and not timestamptz: that keeps microseconds and
-- rounds, while ours are nanoseconds that identity hangs on. A detection at 08:00:00.000000600 is new to a source that
-- has counted up to 08:00:00.000000400; rounded to the microsecond it would be one counted before, or none. For reading
-- by hand there is a cast: SELECT last_seen::timestamptz FROM facilities.
--
-- What stands in an index is of collation "C", so that order is that of the bytes, as on SQLite and in Go,
-- whatever locale the database was made with.

-- +goose Up
CREATE DOMAIN stamp AS text COLLATE "C" CHECK (length(value) = 30); -- 2006-01-02T15:04:05.000000000Z

CREATE TABLE facilities (
    id        text COLLATE "C" PRIMARY KEY,
    last_seen stamp -- data time of the newest window or detection; NULL: none yet
);

CREATE TABLE alerts (
    id                     uuid PRIMARY KEY, -- UUIDv7
    facility_id            text COLLATE "C" NOT NULL REFERENCES facilities (id),
    asset                  text COLLATE "C" NOT NULL,
    timestamp              stamp NOT NULL, -- data time of the first detection
    last_seen              stamp NOT NULL, -- data time of the newest
    severity               text NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low')),
    status                 text NOT NULL CHECK (status IN ('new', 'acknowledged', 'resolved', 'false-positive')),
    title                  text NOT NULL,
    description            text NOT NULL,
    attack_type            text NOT NULL,
    attack_name            text NOT NULL,
    techniques             json NOT NULL, -- array of technique ids
    correlation_confidence double precision NOT NULL,
    correlation_summary    text NOT NULL,
    context_analysis       text NOT NULL,
    assignee               text NOT NULL,
    count                  bigint NOT NULL,
    version                bigint NOT NULL
);
-- The list: newest first, ties by id; of all facilities, of some.
CREATE INDEX alerts_newest ON alerts (timestamp, id);
CREATE INDEX alerts_facility_newest ON alerts (facility_id, timestamp, id);
-- Correlation: the alerts of one asset near a time.
CREATE INDEX alerts_asset ON alerts (facility_id, asset, last_seen);

CREATE TABLE alert_sources (
    alert_id       uuid NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    position       integer NOT NULL, -- order of appearance, from 0
    layer          integer NOT NULL,
    model_name     text COLLATE "C" NOT NULL,
    severity       text NOT NULL,
    confidence     double precision NOT NULL,
    technique      text NOT NULL,
    technique_name text NOT NULL,
    title          text NOT NULL,
    evidence       text NOT NULL,
    look_at        text NOT NULL,
    detection_time stamp NOT NULL,
    counted_until  stamp NOT NULL,
    count          bigint NOT NULL,
    conversation   json NOT NULL, -- client, server, protocol, port
    PRIMARY KEY (alert_id, position)
);

CREATE TABLE alert_events (
    alert_id uuid NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    position integer NOT NULL, -- order of happening, from 0
    time     stamp NOT NULL,
    kind     text NOT NULL,
    author   text NOT NULL, -- the model or the person
    text     text NOT NULL,
    PRIMARY KEY (alert_id, position)
);

-- A partition for each day of data time near today, made ahead (see postgres.go), so that a day that is to be forgotten
-- is dropped and not deleted. Whatever lies further off, as a capture of last year, goes to network_data_rest: the days of
-- what is sent do not decide how many tables there are. Without REFERENCES facilities, whose row each batch has saved before:
-- it would be looked up for each row of a COPY, and making or dropping a day would lock facilities against everybody.
CREATE SEQUENCE network_data_id;
CREATE TABLE network_data (
    id                    bigint NOT NULL DEFAULT nextval('network_data_id'),
    timestamp             stamp NOT NULL, -- beginning of the second
    facility_id           text COLLATE "C" NOT NULL,
    packets_per_sec       double precision NOT NULL,
    bytes_per_sec         double precision NOT NULL,
    unique_src_ips        bigint NOT NULL,
    unique_dest_ips       bigint NOT NULL,
    protocol_distribution double precision NOT NULL,
    failed_connections    bigint NOT NULL,
    avg_packet_size       double precision NOT NULL,
    inter_arrival_time    double precision NOT NULL, -- milliseconds
    raw_features          json NOT NULL,
    UNIQUE (facility_id, timestamp)
) PARTITION BY RANGE (timestamp);
ALTER SEQUENCE network_data_id OWNED BY network_data.id;
CREATE TABLE network_data_rest PARTITION OF network_data DEFAULT;

CREATE TABLE baselines (
    facility_id text COLLATE "C" PRIMARY KEY REFERENCES facilities (id),
    learned     json NOT NULL -- as the detectors wrote it, byte for byte
);

-- +goose Down
DROP TABLE baselines;
DROP TABLE network_data;
DROP TABLE alert_events;
DROP TABLE alert_sources;
DROP TABLE alerts;
DROP TABLE facilities;
DROP DOMAIN stamp;
