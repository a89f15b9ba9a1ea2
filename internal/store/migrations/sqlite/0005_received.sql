-- +goose Up
-- Wall time of the server at which a window last came: how long it is kept counts from there, not from data time. What
-- came before this migration counts from the migration.
ALTER TABLE network_data ADD COLUMN received_at TEXT NOT NULL DEFAULT '';
UPDATE network_data SET received_at = strftime('%Y-%m-%dT%H:%M:%S.000000000Z', 'now');
CREATE INDEX network_data_received ON network_data (received_at);

-- +goose Down
DROP INDEX network_data_received;
ALTER TABLE network_data DROP COLUMN received_at;
