-- The same tables as sqlite/0015_graph.sql. A test compares them.

-- +goose Up
CREATE TABLE graph_follower (
    id    bigint PRIMARY KEY CHECK (id = 1),
    graph text NOT NULL -- which copy has all but what is in graph_pending; '': none has yet
);
CREATE TABLE graph_pending (
    id   uuid PRIMARY KEY,
    kind text COLLATE "C" NOT NULL, -- alert, prediction
    mark bigint NOT NULL -- another with each change
);

-- graph_note(kind, column) notes the alert or prediction that a column of the changed row names.
-- +goose StatementBegin
CREATE FUNCTION graph_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM graph_follower) THEN
        INSERT INTO graph_pending VALUES ((to_jsonb(coalesce(NEW, OLD)) ->> TG_ARGV[1])::uuid, TG_ARGV[0], (random() * 4e18)::bigint)
        ON CONFLICT (id) DO UPDATE SET mark = excluded.mark;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER graph_alert AFTER INSERT OR UPDATE OR DELETE ON alerts FOR EACH ROW EXECUTE FUNCTION graph_note('alert', 'id');
CREATE TRIGGER graph_sighting AFTER INSERT OR UPDATE OR DELETE ON technique_sightings FOR EACH ROW EXECUTE FUNCTION graph_note('alert', 'alert_id');
CREATE TRIGGER graph_prediction AFTER INSERT OR UPDATE OR DELETE ON predictions FOR EACH ROW EXECUTE FUNCTION graph_note('prediction', 'id');

-- +goose Down
DROP TRIGGER graph_prediction ON predictions;
DROP TRIGGER graph_sighting ON technique_sightings;
DROP TRIGGER graph_alert ON alerts;
DROP FUNCTION graph_note();
DROP TABLE graph_pending;
DROP TABLE graph_follower;
