package store

import (
	"context"
	"database/sql"
	"time"
)

// News is that something changed and others are to be told: which thing, not what it says, so that what is told is how it
// stands then.
type News struct {
	Topic, ID string
	Type      string    // of the live message
	Node      string    // where it happened
	Changed   time.Time // wall time
}

// PutNews keeps news until they are Told. Those of one thing become one: it was created still where that was not told.
func (s *Store) PutNews(ctx context.Context, news ...News) error {
	return s.change(ctx, "keeping what others are to be told", func(tx *sql.Tx) error {
		for _, n := range news {
			if _, err := tx.ExecContext(ctx, `INSERT INTO outbox (topic, id, type, node, changed) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (topic, id) DO UPDATE SET node = excluded.node, changed = excluded.changed,
				 type = CASE WHEN outbox.type LIKE '%\_created' ESCAPE '\' THEN outbox.type ELSE excluded.type END`,
				n.Topic, n.ID, n.Type, n.Node, stamp(n.Changed)); err != nil {
				return err
			}
		}
		return nil
	})
}

// News are at most limit of those that a node is to tell, oldest first: its own, and others' from before a time, which those
// did not get to.
func (s *Store) News(ctx context.Context, node string, before time.Time, limit int) (news []News, err error) {
	err = s.view(ctx, "reading what others are to be told", func(tx *sql.Tx) error {
		news, err = many(ctx, tx, func(n *News, scan func(...any) error) error {
			return scan(&n.Topic, &n.ID, &n.Type, &n.Node, (*stamp)(&n.Changed))
		}, `SELECT topic, id, type, node, changed FROM outbox WHERE node = $1 OR changed < $2 ORDER BY changed, topic, id LIMIT $3`, node, stamp(before), limit)
		return err
	})
	return news, err
}

// Told forgets news, but for those that have changed again since they were read.
func (s *Store) Told(ctx context.Context, news []News) error {
	return s.change(ctx, "noting what others were told", func(tx *sql.Tx) error {
		for _, n := range news {
			if _, err := tx.ExecContext(ctx, `DELETE FROM outbox WHERE topic = $1 AND id = $2 AND changed = $3`, n.Topic, n.ID, stamp(n.Changed)); err != nil {
				return err
			}
		}
		return nil
	})
}
