package live

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

const (
	followers  = 10  // at the same time
	reconnects = 100 // of each
	messages   = 1500
	// ahead is how many messages the sender may be ahead of the slowest follower: within what is kept, and more than one
	// connection takes.
	ahead = 60
)

// place is where a follower stands, as its transport says it.
type place struct {
	epoch  string
	offset uint64
	lastID string
}

// A follower makes one connection. It goes on from a place, says ready when it listens, takes so many messages, telling
// got the version of each and moving the place, and hangs up without a word.
type follower func(host string, at *place, messages int, ready func(), got func(version int)) error

// Ten followers are thrown out a hundred times each, at any moment, also in the middle of what they had missed, while
// messages come as fast as they take them. Each gets every message, once and in order.
func TestReconnects(t *testing.T) {
	for name, follow := range map[string]follower{"WebSocket": followWebSocket, "stream": followStream} {
		t.Run(name, func(t *testing.T) {
			h, host := serve(t)
			var (
				listening, done sync.WaitGroup
				connections     atomic.Int64
				mu              sync.Mutex
				moved           = sync.NewCond(&mu) // tells of what follows
				last            [followers]int      // the newest message that each has
				failed          bool
			)
			fail := func(format string, args ...any) {
				mu.Lock()
				defer mu.Unlock()
				if !failed {
					t.Errorf(format, args...)
				}
				failed = true
				moved.Broadcast()
			}
			listening.Add(followers)
			for i := range followers {
				done.Go(func() {
					ready := sync.OnceFunc(listening.Done)
					defer ready()
					var at place
					for n := range reconnects + 1 {
						quota := (n*7 + i*3) % 23 // 0: gone again before the first message
						if n == reconnects {
							quota = messages - last[i]
						}
						connections.Add(1)
						err := follow(host, &at, quota, ready, func(version int) {
							if version != last[i]+1 {
								fail("follower %d got message %d after %d", i, version, last[i])
							}
							mu.Lock()
							defer mu.Unlock()
							last[i] = version
							moved.Broadcast()
						})
						if err != nil {
							fail("follower %d, connection %d: %v", i, n+1, err)
							return
						}
					}
				})
			}
			listening.Wait()
			a := alert(1)
			for n := 1; n <= messages; n++ {
				mu.Lock()
				for slices.Min(last[:])+ahead < n && !failed {
					moved.Wait()
				}
				mu.Unlock()
				a.Version = n
				if err := h.Alert(a, false); err != nil {
					t.Fatal(err)
				}
			}
			done.Wait()
			for i, n := range last {
				if n != messages {
					t.Errorf("follower %d ended at message %d of %d", i, n, messages)
				}
			}
			if n := connections.Load(); n <= followers*reconnects {
				t.Errorf("only %d connections: this test shows too little", n)
			}
		})
	}
}

// patienceOf a follower: more than this between two messages is a failure.
const patienceOf = 20 * time.Second

func followWebSocket(host string, at *place, quota int, ready func(), got func(int)) error {
	conn, _, err := websocket.DefaultDialer.Dial("ws://"+host+"/ws", nil)
	if err != nil {
		return err
	}
	defer hangUp(conn.NetConn())
	from := ""
	if at.epoch != "" {
		from = fmt.Sprintf(`,"recover":true,"epoch":%q,"offset":%d`, at.epoch, at.offset)
	}
	hello := `{"id":1,"connect":{"name":"test"}}` + "\n" + `{"id":2,"subscribe":{"channel":"alerts"` + from + `}}`
	if err := conn.WriteMessage(websocket.TextMessage, []byte(hello)); err != nil {
		return err
	}
	subscribed := false
	for !subscribed || quota > 0 {
		conn.SetReadDeadline(time.Now().Add(patienceOf))
		_, frame, err := conn.ReadMessage()
		if err != nil {
			return err
		}
		for line := range bytes.SplitSeq(bytes.TrimSpace(frame), []byte("\n")) {
			var r reply
			if err := json.Unmarshal(line, &r); err != nil {
				return fmt.Errorf("%s: %w", line, err)
			}
			type publication struct {
				Data   json.RawMessage
				Offset uint64
			}
			var pubs []publication
			switch {
			case r.Error != nil:
				return fmt.Errorf("%s", line)
			case r.Subscribe != nil:
				subscribed = true
				if from != "" && !r.Subscribe.Recovered {
					return fmt.Errorf("not recovered from %d", at.offset)
				}
				if from == "" {
					at.epoch, at.offset = r.Subscribe.Epoch, r.Subscribe.Offset
				}
				for _, p := range r.Subscribe.Publications {
					pubs = append(pubs, publication(p))
				}
				ready()
			case r.Push != nil:
				pubs = append(pubs, publication(r.Push.Pub))
			}
			for _, p := range pubs[:min(len(pubs), quota)] {
				if err := tellVersion(p.Data, got); err != nil {
					return err
				}
				at.offset = p.Offset
				quota--
			}
		}
	}
	return nil
}

func followStream(host string, at *place, quota int, ready func(), got func(int)) error {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	fmt.Fprintf(conn, "GET /api/stream?channels=alerts HTTP/1.1\r\nHost: %s\r\n", host)
	if at.lastID != "" {
		fmt.Fprintf(conn, "Last-Event-ID: %s\r\n", at.lastID)
	}
	fmt.Fprint(conn, "\r\n")
	conn.SetReadDeadline(time.Now().Add(patienceOf))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(resp.Body)
	id := ""
	for quota > 0 || at.lastID == "" {
		conn.SetReadDeadline(time.Now().Add(patienceOf))
		if !lines.Scan() {
			return fmt.Errorf("the stream ended: %v", lines.Err())
		}
		switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
		case "event":
			return fmt.Errorf("%s instead of what was missed", value)
		case "id":
			id = value
		case "data":
			if err := tellVersion(json.RawMessage(value), got); err != nil {
				return err
			}
			quota--
			at.lastID = id
		case "":
			if at.lastID = id; id != "" { // the place, where no message came
				ready()
			}
		}
	}
	return nil
}

func tellVersion(data json.RawMessage, got func(int)) error {
	var m struct{ Data struct{ Version int } }
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	got(m.Data.Version)
	return nil
}

// hangUp drops a connection as a network does: nothing is said and nothing waits.
func hangUp(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}
