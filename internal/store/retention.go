package store

import (
	"context"
	"database/sql"
	"time"
)

// Expired is what was removed because its time was over.
type Expired struct {
	Rows int64    // windows, removed one by one
	Days []string // data days of which every window was removed at once, as "2026-03-01"
}

// expireAtOnce bounds the rows that one transaction removes: others write in between.
const expireAtOnce = 5000

// expire asks for the time again outside: a row may come anew while this waits for it.
const expire = `DELETE FROM network_data WHERE received_at < $1 AND (facility_id, timestamp) IN
	(SELECT facility_id, timestamp FROM network_data WHERE received_at < $1 ORDER BY received_at LIMIT $2)`

// Expire removes the windows that were received more than keep before now, however old or young the traffic is that
// they are about; alerts stay, with all that is theirs. On PostgreSQL it also makes ready the tables of the days to come.
// Call it now and then, best each hour. What it has not removed when an error or the end of ctx stops it, the next call
// removes.
func (s *Store) Expire(ctx context.Context, now time.Time, keep time.Duration) (Expired, error) {
	since := now.Add(-keep)
	var e Expired
	var err error
	if e.Days, err = s.turnDays(ctx, s, now, since); err != nil {
		return e, err
	}
	for n := int64(expireAtOnce); n == expireAtOnce; e.Rows += n {
		err := s.change(ctx, "removing what is over", func(tx *sql.Tx) error {
			r, err := tx.ExecContext(ctx, expire, stamp(since), expireAtOnce)
			if err == nil {
				n, err = r.RowsAffected()
			}
			return err
		})
		if err != nil {
			return e, err
		}
	}
	return e, nil
}
