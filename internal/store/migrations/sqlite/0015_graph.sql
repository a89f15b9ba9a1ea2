-- +goose Up
-- The copy of the attack graph that follows this database; no row: none does, and nothing is noted for it.
CREATE TABLE graph_follower (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    graph TEXT NOT NULL -- which copy has all but what is in graph_pending; '': none has yet
);

-- Alerts and predictions that the copy has not heard of as they are now.
CREATE TABLE graph_pending (
    id   TEXT PRIMARY KEY,
    kind TEXT NOT NULL, -- alert, prediction
    mark INTEGER NOT NULL -- another with each change
) WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER graph_alert_added AFTER INSERT ON alerts WHEN EXISTS (SELECT 1 FROM graph_follower) BEGIN
    INSERT INTO graph_pending VALUES (NEW.id, 'alert', random()) ON CONFLICT (id) DO UPDATE SET mark = excluded.mark;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER graph_alert_changed AFTER UPDATE ON alerts WHEN EXISTS (SELECT 1 FROM graph_follower) BEGIN
    INSERT INTO graph_pending VALUES (NEW.id, 'alert', random()) ON CONFLICT (id) DO UPDATE SET mark = excluded.mark;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER graph_alert_removed AFTER DELETE ON alerts WHEN EXISTS (SELECT 1 FROM graph_follower) BEGIN
    INSERT INTO graph_pending VALUES (OLD.id, 'alert', random()) ON CONFLICT (id) DO UPDATE SET mark = excluded.mark;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER graph_sighting_added AFTER INSERT ON technique_sightings WHEN EXISTS (SELECT 1 FROM graph_follower) BEGIN
    INSERT INTO graph_pending VALUES (NEW.alert_id, 'alert', random()) ON CONFLICT (id) DO UPDATE SET mark = excluded.mark;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER graph_sighting_changed AFTER UPDATE ON technique_sightings WHEN EXISTS (SELECT 1 FROM graph_follower) BEGIN
    INSERT INTO graph_pending VALUES (NEW.alert_id, 'alert', random()) ON CONFLICT (id) DO UPDATE SET mark = excluded.mark;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER graph_sighting_removed AFTER DELETE ON technique_sightings WHEN EXISTS (SELECT 1 FROM graph_follower) BEGIN
    INSERT INTO graph_pending VALUES (OLD.alert_id, 'alert', random()) ON CONFLICT (id) DO UPDATE SET mark = excluded.mark;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER graph_prediction_added AFTER INSERT ON predictions WHEN EXISTS (SELECT 1 FROM graph_follower) BEGIN
    INSERT INTO graph_pending VALUES (NEW.id, 'prediction', random()) ON CONFLICT (id) DO UPDATE SET mark = excluded.mark;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER graph_prediction_changed AFTER UPDATE ON predictions WHEN EXISTS (SELECT 1 FROM graph_follower) BEGIN
    INSERT INTO graph_pending VALUES (NEW.id, 'prediction', random()) ON CONFLICT (id) DO UPDATE SET mark = excluded.mark;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER graph_prediction_removed AFTER DELETE ON predictions WHEN EXISTS (SELECT 1 FROM graph_follower) BEGIN
    INSERT INTO graph_pending VALUES (OLD.id, 'prediction', random()) ON CONFLICT (id) DO UPDATE SET mark = excluded.mark;
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER graph_prediction_removed;
DROP TRIGGER graph_prediction_changed;
DROP TRIGGER graph_prediction_added;
DROP TRIGGER graph_sighting_removed;
DROP TRIGGER graph_sighting_changed;
DROP TRIGGER graph_sighting_added;
DROP TRIGGER graph_alert_removed;
DROP TRIGGER graph_alert_changed;
DROP TRIGGER graph_alert_added;
DROP TABLE graph_pending;
DROP TABLE graph_follower;
