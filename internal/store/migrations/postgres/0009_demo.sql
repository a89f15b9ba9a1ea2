-- The same tables as sqlite/0009_demo.sql. A test compares them.

-- +goose Up
-- Alerts can be removed: their places in the index are not given out again, so that there may be fewer alerts than places.
ALTER TABLE alert_places ADD COLUMN alerts bigint NOT NULL DEFAULT 0;
UPDATE alert_places SET alerts = (SELECT count(*) FROM alerts WHERE place IS NOT NULL);

-- What was played of the simulated plants.
CREATE TABLE demo_runs (
    id       uuid PRIMARY KEY, -- UUIDv7
    scenario text COLLATE "C" NOT NULL, -- port-scan, fl-round, multi-stage; seed: the seed data
    status   text COLLATE "C" NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'interrupted')),
    owner    text NOT NULL, -- the server that plays it
    heard    stamp NOT NULL, -- wall time at which that last said so
    run      json NOT NULL -- a breakwater.DemoRun
);
-- A scenario is played once at a time.
CREATE UNIQUE INDEX demo_runs_running ON demo_runs (scenario) WHERE status = 'running';

-- +goose Down
DROP TABLE demo_runs;
ALTER TABLE alert_places DROP COLUMN alerts;
