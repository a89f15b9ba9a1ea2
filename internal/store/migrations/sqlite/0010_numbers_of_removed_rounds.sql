-- +goose Up
-- Rounds can be removed: the highest numbers that were given until then are kept, so that none is given again.
CREATE TABLE fl_removed (
    round_id     INTEGER PRIMARY KEY,
    round_number INTEGER NOT NULL,
    version      INTEGER NOT NULL -- of shared parameters
);

-- +goose Down
DROP TABLE fl_removed;
