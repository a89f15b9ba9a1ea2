-- The same table as sqlite/0010_numbers_of_removed_rounds.sql. A test compares them.

-- +goose Up
-- Rounds can be removed: the highest numbers that were given until then are kept, so that none is given again.
CREATE TABLE fl_removed (
    round_id     bigint PRIMARY KEY,
    round_number bigint NOT NULL,
    version      bigint NOT NULL -- of shared parameters
);

-- +goose Down
DROP TABLE fl_removed;
