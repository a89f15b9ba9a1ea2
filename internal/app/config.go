// Package app is the whole: the settings, how the parts are wired (Open), and running them (Run).
package app

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"breakwater"
	"breakwater/internal/fl"
	"breakwater/internal/neo4j"
	"breakwater/internal/redis"
	"breakwater/internal/store"
)

// Config is every setting of `serve`. Each field is a flag and an environment variable; flags win over the
// environment, that over a file .env, that over the default.
type Config struct {
	APIHost      string `name:"api-host" env:"API_HOST" default:"127.0.0.1" help:"Address to listen on. Another than loopback needs API_TOKEN."`
	APIToken     string `name:"api-token" env:"API_TOKEN" placeholder:"TOKEN" help:"Secret that every request must show, 32 characters or more. Needed to listen to other machines."`
	APIPort      string `name:"api-port" env:"API_PORT" default:"8000" help:"Port to listen on; 0 takes a free one."`
	CORSOrigins  string `name:"cors-origins" env:"CORS_ORIGINS" default:"http://localhost:3000" help:"Origins whose pages may use the API and the WebSocket, separated by commas."`
	DatabaseURL  string `name:"database-url" env:"DATABASE_URL" default:"sqlite://breakwater.db" help:"Database: sqlite://FILE or postgres://USER:PASSWORD@HOST:5432/NAME (postgresql:// and postgresql+DRIVER:// mean the same)."`
	RedisURL     string `name:"redis-url" env:"REDIS_URL" placeholder:"URL" help:"Redis that several servers on one database share, for the last minute of every facility and live messages: redis://USER:PASSWORD@HOST:6379/0, or rediss:// over TLS. Without it each server keeps that itself."`
	Neo4jURI     string `name:"neo4j-uri" env:"NEO4J_URI" help:"Neo4j that has the attack graph too, to be asked in Cypher, as neo4j://HOST:7687; none where empty."`
	Neo4jUser    string `name:"neo4j-user" env:"NEO4J_USER" default:"neo4j" help:"Neo4j's user."`
	Neo4jPass    string `name:"neo4j-password" env:"NEO4J_PASSWORD" placeholder:"PASSWORD" help:"That user's password; empty: Neo4j is asked without one."`
	Retention    string `name:"retention-days" env:"RETENTION_DAYS" default:"30" help:"Days for which network data is kept, counted from its receipt; alerts are kept for ever."`
	FLMinClients string `name:"fl-min-clients" env:"FL_MIN_CLIENTS" default:"2" help:"Clients that a round of federated learning needs; with fewer it fails."`
	FLDeadline   string `name:"fl-round-deadline" env:"FL_ROUND_DEADLINE" default:"10m" help:"How long a round waits for enough clients, and then again for their training."`
	FLEpochs     string `name:"fl-epochs" env:"FL_EPOCHS" default:"5" help:"Epochs that each client trains in a round."`
	FLStrategy   string `name:"fl-strategy" env:"FL_STRATEGY" default:"fedavg" help:"How what clients learn becomes one: fedavg, or fedprox where their traffic differs much."`
	FLNoise      string `name:"fl-noise-multiplier" env:"FL_NOISE_MULTIPLIER" default:"0" help:"Noise for differential privacy, as a multiple of what one client can change; 0 is none."`
	FLClip       string `name:"fl-clipping-norm" env:"FL_CLIPPING_NORM" default:"1" help:"The most that one client may change the parameters by (L2 norm), where noise is on."`
	FLDelta      string `name:"fl-delta" env:"FL_DELTA" default:"0.00001" help:"The delta that epsilon is said for."`
	FLBudget     string `name:"fl-privacy-budget" env:"FL_PRIVACY_BUDGET" default:"0" help:"The epsilon that all rounds together may spend; a round that would spend more fails. 0 is no limit."`
	Kafka
	KafkaGroup string `name:"kafka-group-id" env:"KAFKA_GROUP_ID" default:"breakwater" help:"The group of Kafka whose members, the nodes of one Breakwater, share its work."`
	KafkaStore string `name:"kafka-store" env:"KAFKA_STORE" default:"false" help:"true: alerts, predictions and rounds that other systems put on Kafka's topics are kept, as if they had been reported to the API; else open pages show them once."`
	DemoMode   string `name:"demo-mode" env:"DEMO_MODE" default:"false" help:"true: the five simulated plants of the demo run all the time, and demo scenarios can be played where the server listens to other machines, too."`
	Seed       string `name:"seed-data-on-startup" env:"SEED_DATA_ON_STARTUP" default:"false" help:"true: at the start, put sample data in as breakwater seed does, once."`
	LogLevel   string `name:"log-level" env:"LOG_LEVEL" default:"info" help:"debug, info, warn or error."`
	LogFormat  string `name:"log-format" env:"LOG_FORMAT" default:"text" help:"text or json."`
}

// setting is a bad value of one variable: the one line that stops the start.
func setting(name, value, accepted string) error {
	return &breakwater.Error{Kind: breakwater.Invalid, Field: name, Message: fmt.Sprintf("%s=%s: accepted is %s", name, strconv.Quote(value), accepted)}
}

// Check says which setting is wrong, if one is, in one line that names the variable, the value and what is accepted.
func (c *Config) Check() error {
	if err := c.checkHost(); err != nil {
		return err
	}
	if port, err := strconv.Atoi(c.APIPort); err != nil || port < 0 || port > 65535 {
		return setting("API_PORT", c.APIPort, "a port number from 0 to 65535")
	}
	for _, origin := range c.Origins() {
		if u, err := url.Parse(origin); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" {
			return setting("CORS_ORIGINS", c.CORSOrigins, "origins like http://localhost:3000, separated by commas")
		}
	}
	if err := store.CheckURL(c.DatabaseURL); err != nil {
		return setting("DATABASE_URL", withoutPassword(c.DatabaseURL), "sqlite://FILE or postgres://USER:PASSWORD@HOST:PORT/NAME; "+err.Error())
	}
	if c.RedisURL != "" {
		if err := redis.CheckURL(c.RedisURL); err != nil {
			return setting("REDIS_URL", withoutPassword(c.RedisURL), "nothing, redis://USER:PASSWORD@HOST:PORT/DB or rediss://USER:PASSWORD@HOST:PORT/DB; "+err.Error())
		}
	}
	if c.Neo4jURI != "" {
		if err := neo4j.CheckURI(c.Neo4jURI); err != nil {
			return setting("NEO4J_URI", withoutPassword(c.Neo4jURI), err.Error())
		}
		if c.Neo4jPass != "" && c.Neo4jUser == "" {
			return setting("NEO4J_USER", "", "the name of the user whose NEO4J_PASSWORD is given")
		}
	}
	if days, err := strconv.Atoi(c.Retention); err != nil || days < 1 || days > 36500 {
		return setting("RETENTION_DAYS", c.Retention, "a number of days from 1 to 36500")
	}
	if _, err := c.Federation(); err != nil {
		return err
	}
	if err := c.Kafka.Check(); err != nil {
		return err
	}
	if (c.On() || c.KafkaGroup != "") && !groupName.MatchString(c.KafkaGroup) {
		return setting("KAFKA_GROUP_ID", c.KafkaGroup, "1 to 249 letters, digits, '.', '_' and '-'")
	}
	for name, value := range map[string]string{"DEMO_MODE": c.DemoMode, "SEED_DATA_ON_STARTUP": c.Seed, "KAFKA_STORE": c.KafkaStore} {
		if value != "" && !slices.Contains([]string{"true", "false", "1", "0"}, value) {
			return setting(name, value, "true or false")
		}
	}
	if _, err := c.Logger(io.Discard); err != nil {
		return err
	}
	return nil
}

// isOn reports whether a setting that is true or false is true.
func isOn(value string) bool { return value == "true" || value == "1" }

// Federation is how rounds of federated learning are run.
func (c *Config) Federation() (fl.Settings, error) {
	s := fl.Usual()
	for _, n := range []struct {
		name, value string
		read        func(string) error
	}{
		{"FL_MIN_CLIENTS", c.FLMinClients, func(v string) (err error) { s.MinClients, err = strconv.Atoi(v); return err }},
		{"FL_ROUND_DEADLINE", c.FLDeadline, func(v string) (err error) { s.Deadline, err = time.ParseDuration(v); return err }},
		{"FL_EPOCHS", c.FLEpochs, func(v string) (err error) { s.Epochs, err = strconv.Atoi(v); return err }},
		{"FL_STRATEGY", c.FLStrategy, func(v string) error { s.Strategy = v; return nil }},
		{"FL_NOISE_MULTIPLIER", c.FLNoise, func(v string) (err error) { s.Noise, err = strconv.ParseFloat(v, 64); return err }},
		{"FL_CLIPPING_NORM", c.FLClip, func(v string) (err error) { s.Clip, err = strconv.ParseFloat(v, 64); return err }},
		{"FL_DELTA", c.FLDelta, func(v string) (err error) { s.Delta, err = strconv.ParseFloat(v, 64); return err }},
		{"FL_PRIVACY_BUDGET", c.FLBudget, func(v string) (err error) { s.Budget, err = strconv.ParseFloat(v, 64); return err }},
	} {
		accepted := map[string]string{
			"FL_MIN_CLIENTS": "a number from 1 to 1000", "FL_ROUND_DEADLINE": "a length of time from 1s to 168h, as 10m", "FL_EPOCHS": "a number from 1 to 1000",
			"FL_STRATEGY": "fedavg or fedprox", "FL_NOISE_MULTIPLIER": "0 (none) or a number up to 1000000", "FL_CLIPPING_NORM": "a number over 0, at most 1000000",
			"FL_DELTA": "a number between 0 and 1", "FL_PRIVACY_BUDGET": "0 (no limit) or a number up to 1000000",
		}[n.name]
		if n.read(n.value) != nil || s.Check() != nil { // those before were right
			return s, setting(n.name, n.value, accepted)
		}
	}
	return s, nil
}

// withoutPassword is as much of an engine's URL as may be shown, even of one that nobody can read.
func withoutPassword(url string) string {
	scheme, _, found := strings.Cut(url, "://")
	switch {
	case scheme == "sqlite":
		return url
	case found:
		return scheme + "://…"
	}
	return "…"
}

// Keep is how long network data is kept. It is for settings that Check has passed.
func (c *Config) Keep() time.Duration {
	days, _ := strconv.Atoi(c.Retention)
	return time.Duration(days) * 24 * time.Hour
}

// minToken is the fewest characters of a token: 32 hexadecimal digits are 128 bits.
const minToken = 32

// checkHost refuses to serve other machines without asking who they are. It does not show the token.
func (c *Config) checkHost() error {
	ip := net.ParseIP(c.APIHost)
	switch {
	case c.APIToken != "" && (len(c.APIToken) < minToken || strings.ContainsFunc(c.APIToken, func(r rune) bool { return r <= ' ' || r > '~' })):
		return &breakwater.Error{Kind: breakwater.Invalid, Field: "API_TOKEN",
			Message: fmt.Sprintf("API_TOKEN=(%d characters, not shown): accepted is nothing, or %d characters and more of ASCII without spaces, as `openssl rand -hex 32` makes them", utf8.RuneCountInString(c.APIToken), minToken)}
	case c.Local():
		return nil
	case ip == nil:
		return setting("API_HOST", c.APIHost, "an IP address, or localhost")
	case c.APIToken == "":
		return setting("API_HOST", c.APIHost, "a loopback address (127.0.0.1, ::1, localhost), or another one where API_TOKEN is set, which every request must show then")
	}
	return nil
}

// Local reports whether the server listens to this machine alone.
func (c *Config) Local() bool {
	ip := net.ParseIP(c.APIHost)
	return c.APIHost == "localhost" || ip != nil && ip.IsLoopback()
}

// Authorize says whether a token is the right one, in a time that tells nothing of it; nil where none is needed.
func (c *Config) Authorize() func(token string) bool {
	if c.APIToken == "" {
		return nil
	}
	want := sha256.Sum256([]byte(c.APIToken))
	return func(token string) bool {
		got := sha256.Sum256([]byte(token))
		return subtle.ConstantTimeCompare(got[:], want[:]) == 1
	}
}

// Hosts are the names by which the server may be asked for, beside the address that a request came to: this machine's
// and those of pages that may use it.
func (c *Config) Hosts() []string {
	hosts := []string{}
	if name, err := os.Hostname(); err == nil && !c.Local() {
		hosts = append(hosts, name)
	}
	for _, origin := range c.Origins() {
		if u, err := url.Parse(origin); err == nil {
			hosts = append(hosts, u.Hostname())
		}
	}
	return hosts
}

// Origins are the configured origins, one by one.
func (c *Config) Origins() []string {
	var out []string
	for o := range strings.SplitSeq(c.CORSOrigins, ",") {
		if o = strings.TrimSpace(o); o != "" {
			out = append(out, o)
		}
	}
	return out
}

// Logger is the structured log that the settings ask for.
func (c *Config) Logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	switch c.LogLevel {
	case "debug", "info", "warn", "error":
		if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
			return nil, err
		}
	default:
		return nil, setting("LOG_LEVEL", c.LogLevel, "debug, info, warn or error")
	}
	options := &slog.HandlerOptions{Level: level}
	switch c.LogFormat {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, setting("LOG_FORMAT", c.LogFormat, "text or json")
}

// Defaults is every setting as it is where nobody sets it.
func Defaults() (c Config) {
	v := reflect.ValueOf(&c).Elem()
	for f := range fields() {
		v.FieldByIndex(f.Index).SetString(f.Tag.Get("default"))
	}
	return c
}

// EnvExample is the text of .env.example: every setting with its default, said once, here.
func EnvExample() string {
	var b strings.Builder
	b.WriteString("# Settings of Breakwater, with their defaults. Copy to .env and change what you need.\n")
	b.WriteString("# Flags win over the environment, the environment over this file. Made by `make generate`.\n")
	for f := range fields() {
		fmt.Fprintf(&b, "\n# %s\n%s=%s\n", f.Tag.Get("help"), f.Tag.Get("env"), f.Tag.Get("default"))
	}
	return b.String()
}

// ConfigurationPage is the text of docs/configuration.md: every setting with its default, what is accepted, by what Check
// says of a value that is not, and what it is.
func ConfigurationPage() string {
	var b strings.Builder
	b.WriteString(`# Configuration

Everything has a default: with no configuration the server runs whole on this machine. A flag wins over the environment, the
environment over a file ` + "`.env`" + ` in the working directory, that over the default. A bad value stops the start with one line that
names the variable, the value and what is accepted.

These are the settings of ` + "`breakwater serve`" + `; other commands that use the database read ` + "`DATABASE_URL`" + ` too. [.env.example](../.env.example) has them to copy. This page is made from the
program by ` + "`make generate`" + `, and a test holds it equal.

| variable | flag | default | accepted | what it is |
| --- | --- | --- | --- | --- |
`)
	for f := range fields() {
		c := Defaults()
		reflect.ValueOf(&c).Elem().FieldByIndex(f.Index).SetString("?")
		_, accepted, _ := strings.Cut(fmt.Sprint(c.Check()), "accepted is ")
		accepted, _, _ = strings.Cut(accepted, ";")
		value := "none"
		if v := f.Tag.Get("default"); v != "" {
			value = "`" + v + "`"
		}
		if accepted == "" {
			accepted = "any text"
		}
		fmt.Fprintf(&b, "| `%s` | `--%s` | %s | %s | %s |\n", f.Tag.Get("env"), f.Tag.Get("name"), value, accepted, f.Tag.Get("help"))
	}
	b.WriteString(`
Commands that talk to a server take ` + "`--server` (`BREAKWATER_SERVER`) and `--token` (`BREAKWATER_TOKEN`)" + `. Who may use a server, and
what ` + "`API_HOST` and `API_TOKEN`" + ` mean for that, is in [commands.md](commands.md#who-may-use-the-server); databases are in [database.md](database.md), Neo4j is in [neo4j.md](neo4j.md), the federation's settings in [federation.md](federation.md).
`)
	return b.String()
}

func fields() func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for _, f := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
			if !f.Anonymous && !yield(f) {
				return
			}
		}
	}
}
