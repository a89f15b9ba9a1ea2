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
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"breakwater"
	"breakwater/internal/store"
)

// Config is every setting of `serve`. Each field is a flag and an environment variable; flags win over the
// environment, that over a file .env, that over the default.
type Config struct {
	APIHost     string `name:"api-host" env:"API_HOST" default:"127.0.0.1" help:"Address to listen on. Another than loopback needs API_TOKEN."`
	APIToken    string `name:"api-token" env:"API_TOKEN" placeholder:"TOKEN" help:"Secret that every request must show, 32 characters or more. Needed to listen to other machines."`
	APIPort     string `name:"api-port" env:"API_PORT" default:"8000" help:"Port to listen on; 0 takes a free one."`
	CORSOrigins string `name:"cors-origins" env:"CORS_ORIGINS" default:"http://localhost:3000" help:"Origins whose pages may use the API and the WebSocket, separated by commas."`
	DatabaseURL string `name:"database-url" env:"DATABASE_URL" default:"sqlite://breakwater.db" help:"Database: sqlite://FILE or postgres://USER:PASSWORD@HOST:5432/NAME (postgresql:// and postgresql+DRIVER:// mean the same)."`
	Retention   string `name:"retention-days" env:"RETENTION_DAYS" default:"30" help:"Days for which network data is kept, counted from its receipt; alerts are kept for ever."`
	LogLevel    string `name:"log-level" env:"LOG_LEVEL" default:"info" help:"debug, info, warn or error."`
	LogFormat   string `name:"log-format" env:"LOG_FORMAT" default:"text" help:"text or json."`
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
	if days, err := strconv.Atoi(c.Retention); err != nil || days < 1 || days > 36500 {
		return setting("RETENTION_DAYS", c.Retention, "a number of days from 1 to 36500")
	}
	if _, err := c.Logger(io.Discard); err != nil {
		return err
	}
	return nil
}

// withoutPassword is as much of a database URL as may be shown, even of one that nobody can read.
func withoutPassword(databaseURL string) string {
	scheme, _, found := strings.Cut(databaseURL, "://")
	switch {
	case scheme == "sqlite":
		return databaseURL
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

func fields() func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		t := reflect.TypeFor[Config]()
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}
