-- +goose Up
-- Wall time of the server at which a window last came: how long it is kept counts from there, not from data time. What
-- came before this migration counts from the migration.
ALTER TABLE network_data ADD COLUMN received_at stamp;
UPDATE network_data SET received_at = to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"000Z"');
ALTER TABLE network_data ALTER COLUMN received_at SET NOT NULL;
CREATE INDEX network_data_received ON network_data (received_at);

-- +goose Down
ALTER TABLE network_data DROP COLUMN received_at;
