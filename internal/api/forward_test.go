package api

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// parts is an io.WriteCloser that keeps what is written, and when after its beginning.
type parts struct {
	began time.Time
	all   []string
	after []time.Duration
}

func (p *parts) Write(b []byte) (int, error) {
	p.all, p.after = append(p.all, string(b)), append(p.after, time.Since(p.began))
	return len(b), nil
}

func (p *parts) Close() error { return nil }

var _ io.WriteCloser = (*parts)(nil)

// Rows that come slowly go on as they come: who takes them would hold an upload of which nothing comes for cut short.
func TestSlowRowsAreForwarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &parts{began: time.Now()}
		err := forwardRows(to, func(text func([]byte) bool) {
			for range 20 {
				text([]byte(`{"a": 1}`))
				time.Sleep(time.Second)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(strings.Join(to.all, ""), "{\"a\":1}\n"); got != 20 {
			t.Errorf("%d rows of 20 were forwarded", got)
		}
		for i, last := 0, time.Duration(0); i < len(to.after); i++ {
			if silent := to.after[i] - last; silent > 10*time.Second {
				t.Errorf("nothing was forwarded for %v", silent)
			}
			last = to.after[i]
		}
	})
}
