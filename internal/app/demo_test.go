package app

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"breakwater"
	"breakwater/internal/store/storetest"
)

// demoAsk asks a running program and reads what it answers.
func demoAsk(t *testing.T, a *App, method, path, body, token string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, strings.Replace(a.URL(), "[::]", "127.0.0.1", 1)+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body == "" {
		req.Body, req.ContentLength = nil, 0
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// The demo over HTTP, on each engine: started without a body and with one, followed, refused while it goes on, reset.
func TestDemoOverHTTP(t *testing.T) {
	t.Parallel()
	for name, url := range storetest.Engines() {
		if name == "sqlite memory" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := start(t, func(c *Config) { c.DatabaseURL = url(t) })
			want := func(method, path, body string, status int, text string) string {
				t.Helper()
				for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
					got, answer := demoAsk(t, a, method, path, body, "")
					if got == http.StatusServiceUnavailable && time.Since(began) < 10*time.Second { // it is starting
						continue
					}
					if got != status || !strings.Contains(answer, text) {
						t.Fatalf("%s %s %s: %d %s, want %d … %s", method, path, body, got, answer, status, text)
					}
					return answer
				}
			}
			want("GET", "/api/demo/status", "", 200, `"enabled":true,"facilities":[{"id":"demo-northgate","name":"Northgate Waterworks","playing":""}`)
			want("POST", "/api/demo/scenarios/flood", "", 404, "/docs lists")
			want("POST", "/api/demo/scenarios/port-scan", `{"facility_id":"north"}`, 422, "demo-eastfield")
			want("POST", "/api/demo/scenarios/port-scan", `{"speed":"2x"}`, 422, "speed")
			want("POST", "/api/demo/scenarios/multi-stage", "", 202, `{"scenario_id":"`)
			want("POST", "/api/demo/scenarios/multi-stage", "", 409, "is being played")
			want("POST", "/api/demo/reset", "", 409, "is being played")
			var begun struct {
				ID breakwater.ID `json:"scenario_id"`
			}
			if err := json.NewDecoder(bytes.NewBufferString(want("POST", "/api/demo/scenarios/port-scan", `{"facility_id":"demo-hillcrest","speed":"max"}`, 202, ""))).Decode(&begun); err != nil {
				t.Fatal(err)
			}
			var run breakwater.DemoRun
			for began := time.Now(); run.Status != breakwater.DemoCompleted; time.Sleep(20 * time.Millisecond) {
				var state struct{ Scenarios []breakwater.DemoRun }
				if err := json.Unmarshal([]byte(want("GET", "/api/demo/status", "", 200, "")), &state); err != nil {
					t.Fatal(err)
				}
				for _, s := range state.Scenarios {
					if s.ID == begun.ID {
						run = s
					}
				}
				if run.Status == breakwater.DemoFailed || time.Since(began) > time.Minute {
					t.Fatalf("%+v", run)
				}
			}
			want("GET", "/api/alerts?facility=demo-hillcrest&technique=T0840", "", 200, `"asset":"10.23.0.57"`)
			want("GET", "/api/alerts?facility=demo-northgate", "", 200, `"total":0`)
		})
	}
}

// A server that listens to others plays nothing, unless it was asked to.
func TestDemoIsForThisMachine(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef0123456789abcdef"
	for mode, want := range map[string]int{"false": http.StatusForbidden, "true": http.StatusAccepted} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			a := start(t, func(c *Config) { c.APIHost, c.APIToken, c.DemoMode = "0.0.0.0", token, mode })
			var status int
			var answer string
			for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
				if status, answer = demoAsk(t, a, "POST", "/api/demo/scenarios/port-scan", "", token); status != http.StatusServiceUnavailable {
					break
				}
			}
			if status != want || status == http.StatusForbidden && !strings.Contains(answer, "DEMO_MODE") {
				t.Errorf("%d %s", status, answer)
			}
			if want == http.StatusForbidden {
				if status, answer := demoAsk(t, a, "POST", "/api/demo/reset", "", token); status != want {
					t.Errorf("reset: %d %s", status, answer)
				}
				if status, answer := demoAsk(t, a, "GET", "/api/demo/status", "", token); status != 200 || !strings.Contains(answer, `"enabled":false`) {
					t.Errorf("status: %d %s", status, answer)
				}
			}
		})
	}
}
