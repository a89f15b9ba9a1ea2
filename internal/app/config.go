// Package app is the whole: the settings, how the parts are wired (Open), and running them (Run).
package app

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"breakwater"
)

// Config is every setting of `serve`. Each field is a flag and an environment variable; flags win over the
// environment, that over a file .env, that over the default.
type Config struct {
	APIHost     string `name:"api-host" env:"API_HOST" default:"127.0.0.1" help:"Address to listen on. Only loopback is allowed: there are no accounts yet."`
	APIPort     string `name:"api-port" env:"API_PORT" default:"8000" help:"Port to listen on; 0 takes a free one."`
	CORSOrigins string `name:"cors-origins" env:"CORS_ORIGINS" default:"http://localhost:3000" help:"Origins whose pages may use the API and the WebSocket, separated by commas."`
	DatabaseURL string `name:"database-url" env:"DATABASE_URL" default:"sqlite://breakwater.db" help:"Database: sqlite://FILE."`
	LogLevel    string `name:"log-level" env:"LOG_LEVEL" default:"info" help:"debug, info, warn or error."`
	LogFormat   string `name:"log-format" env:"LOG_FORMAT" default:"text" help:"text or json."`
}

// setting is a bad value of one variable: the one line that stops the start.
func setting(name, value, accepted string) error {
	return &breakwater.Error{Kind: breakwater.Invalid, Field: name, Message: fmt.Sprintf("%s=%s: accepted is %s", name, strconv.Quote(value), accepted)}
}

// Check says which setting is wrong, if one is, in one line that names the variable, the value and what is accepted.
func (c *Config) Check() error {
	if ip := net.ParseIP(c.APIHost); c.APIHost != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return setting("API_HOST", c.APIHost, "a loopback address (127.0.0.1, ::1, localhost): without accounts the server listens to this machine alone")
	}
	if port, err := strconv.Atoi(c.APIPort); err != nil || port < 0 || port > 65535 {
		return setting("API_PORT", c.APIPort, "a port number from 0 to 65535")
	}
	for _, origin := range c.Origins() {
		if u, err := url.Parse(origin); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" {
			return setting("CORS_ORIGINS", c.CORSOrigins, "origins like http://localhost:3000, separated by commas")
		}
	}
	if !strings.HasPrefix(c.DatabaseURL, "sqlite://") || c.DatabaseURL == "sqlite://" {
		return setting("DATABASE_URL", c.DatabaseURL, "sqlite://FILE, as sqlite://breakwater.db")
	}
	if _, err := c.Logger(io.Discard); err != nil {
		return err
	}
	return nil
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
