-- +goose Up
-- Alerts can be removed: their places in the index are not given out again, so that there may be fewer alerts than places.
ALTER TABLE alert_places ADD COLUMN alerts INTEGER NOT NULL DEFAULT 0;
UPDATE alert_places SET alerts = (SELECT count(*) FROM alerts WHERE place IS NOT NULL);

-- What was played of the simulated plants.
CREATE TABLE demo_runs (
    id       TEXT PRIMARY KEY, -- UUIDv7
    scenario TEXT NOT NULL, -- port-scan, fl-round, multi-stage; seed: the seed data
    status   TEXT NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'interrupted')),
    owner    TEXT NOT NULL, -- the server that plays it
    heard    TEXT NOT NULL, -- wall time at which that last said so
    run      TEXT NOT NULL -- JSON: a breakwater.DemoRun
);
-- A scenario is played once at a time.
CREATE UNIQUE INDEX demo_runs_running ON demo_runs (scenario) WHERE status = 'running';

-- +goose Down
DROP TABLE demo_runs;
ALTER TABLE alert_places DROP COLUMN alerts;
