-- The same tables as sqlite/0013_revisions.sql. A test compares them.

-- +goose Up
-- What nodes must agree on about a facility, whichever of them its batches come to.
ALTER TABLE facilities ADD COLUMN revision bigint NOT NULL DEFAULT 0; -- grows by one with each batch; begins at the clock, so that a facility that was removed and comes again is another
ALTER TABLE facilities ADD COLUMN packets_per_sec double precision NOT NULL DEFAULT 0; -- of the newest second of the newest batch that had one
ALTER TABLE facilities ADD COLUMN active boolean NOT NULL DEFAULT false; -- whether it is heard of, as the leading node sees it
ALTER TABLE facilities ADD COLUMN turned bigint NOT NULL DEFAULT 0; -- when that changed, Unix milliseconds; 0: never

-- +goose Down
ALTER TABLE facilities DROP COLUMN turned;
ALTER TABLE facilities DROP COLUMN active;
ALTER TABLE facilities DROP COLUMN packets_per_sec;
ALTER TABLE facilities DROP COLUMN revision;
