package app

import (
	"flag"
	"os"
	"strings"
	"testing"

	"breakwater"
)

var update = flag.Bool("update", false, "write .env.example and docs/configuration.md anew")

func defaults() Config {
	return Config{APIHost: "127.0.0.1", APIPort: "8000", CORSOrigins: "http://localhost:3000", DatabaseURL: "sqlite://breakwater.db", Neo4jUser: "neo4j", Retention: "30", LogLevel: "info", LogFormat: "text",
		FLMinClients: "2", FLDeadline: "10m", FLEpochs: "5", FLStrategy: "fedavg", FLNoise: "0", FLClip: "1", FLDelta: "0.00001", FLBudget: "0"}
}

// .env.example and the page of the configuration are what the program reads.
func TestEnvExample(t *testing.T) {
	for path, want := range map[string]string{"../../.env.example": EnvExample(), "../../docs/configuration.md": ConfigurationPage()} {
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is not what the program reads: run `make generate`", path)
		}
		for f := range fields() {
			if !strings.Contains(want, f.Tag.Get("env")) || !strings.Contains(want, f.Tag.Get("help")) {
				t.Errorf("%s does not speak of %s", path, f.Tag.Get("env"))
			}
		}
	}
}

func TestCheckNamesTheBadSetting(t *testing.T) {
	t.Parallel()
	good := defaults()
	if err := good.Check(); err != nil {
		t.Fatalf("the defaults are refused: %v", err)
	}
	for name, spoil := range map[string]func(*Config){
		"API_HOST":       func(c *Config) { c.APIHost = "0.0.0.0" },
		"API_TOKEN":      func(c *Config) { c.APIToken = strings.Repeat("x", 31) },
		"API_PORT":       func(c *Config) { c.APIPort = "eighty" },
		"CORS_ORIGINS":   func(c *Config) { c.CORSOrigins = "localhost:3000/x" },
		"DATABASE_URL":   func(c *Config) { c.DatabaseURL = "mysql://x" },
		"REDIS_URL":      func(c *Config) { c.RedisURL = "localhost:6379" },
		"NEO4J_URI":      func(c *Config) { c.Neo4jURI = "http://db:7474" },
		"NEO4J_USER":     func(c *Config) { c.Neo4jURI, c.Neo4jUser, c.Neo4jPass = "neo4j://db", "", "x" },
		"RETENTION_DAYS": func(c *Config) { c.Retention = "0" },
		"FL_MIN_CLIENTS": func(c *Config) { c.FLMinClients = "0" }, "FL_ROUND_DEADLINE": func(c *Config) { c.FLDeadline = "10" },
		"FL_EPOCHS": func(c *Config) { c.FLEpochs = "" }, "FL_STRATEGY": func(c *Config) { c.FLStrategy = "krum" },
		"FL_NOISE_MULTIPLIER": func(c *Config) { c.FLNoise = "NaN" }, "FL_CLIPPING_NORM": func(c *Config) { c.FLClip = "0" },
		"FL_DELTA": func(c *Config) { c.FLDelta = "1" }, "FL_PRIVACY_BUDGET": func(c *Config) { c.FLBudget = "-1" },
		"LOG_LEVEL":  func(c *Config) { c.LogLevel = "loud" },
		"LOG_FORMAT": func(c *Config) { c.LogFormat = "xml" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := defaults()
			spoil(&c)
			err := c.Check()
			if breakwater.KindOf(err) != breakwater.Invalid || !strings.HasPrefix(err.Error(), name+"=") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v: want one line that begins with %s=", err, name)
			}
		})
	}
}

func TestDatabaseURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"sqlite://x.db", "sqlite://:memory:", "postgres://u:p@db/x", "postgresql://u:p@db:5433/x?sslmode=require",
		"postgresql+asyncpg://u:p%40@db/x", "postgres://%2Frun%2Fpostgresql/x", "postgres:///x?host=/run/postgresql"} {
		c := defaults()
		c.DatabaseURL = url
		if err := c.Check(); err != nil {
			t.Errorf("%s is refused: %v", url, err)
		}
	}
	for _, url := range []string{"", "x.db", "sqlite://", "mysql://root:secret@db/x", "root:secret@db/x", "postgres://u:sec%ret@db/secret", "postgres://u:secret@db:port/x",
		"postgres://u:secret@db/x?sslmode=secret", "postgres//u:secret@db/x"} {
		c := defaults()
		c.DatabaseURL = url
		err := c.Check()
		if breakwater.KindOf(err) != breakwater.Invalid || !strings.HasPrefix(err.Error(), "DATABASE_URL=") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", url, err)
		} else if strings.Contains(err.Error(), "sec") {
			t.Errorf("shows a password: %v", err)
		}
	}
}

func TestRedisURL(t *testing.T) {
	t.Parallel()
	for url, good := range map[string]bool{"": true, "redis://127.0.0.1:6379": true, "rediss://u:p%40@r:6380/1": true, "redis://u:secret@r": false, "u:secret@r:6379": false, "redis://u:sec%ret@r:6379": false} {
		c := defaults()
		c.RedisURL = url
		err := c.Check()
		if good != (err == nil) {
			t.Errorf("%s: %v", url, err)
		} else if err != nil && (!strings.HasPrefix(err.Error(), "REDIS_URL=") || strings.Contains(err.Error(), "sec") || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestNeo4jURIShowsNoPassword(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{"bolt://neo4j:secret@db:7687", "neo4j:secret@db", "bolt://neo4j:sec%ret@db"} {
		c := defaults()
		c.Neo4jURI = uri
		if err := c.Check(); err == nil || !strings.HasPrefix(err.Error(), "NEO4J_URI=") || strings.Contains(err.Error(), "sec") {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

// Whoever can reach the server from elsewhere must be asked for the token.
func TestHostNeedsToken(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef0123456789abcdef"
	for _, c := range []struct {
		host, token, bad string // bad: the setting that is wrong, if one is
	}{
		{"127.0.0.1", "", ""}, {"::1", "", ""}, {"localhost", "", ""}, {"127.9.9.9", "", ""}, {"localhost", token, ""},
		{"0.0.0.0", token, ""}, {"::", token, ""}, {"192.0.2.7", token, ""}, {"2001:db8::7", token, ""},
		{"0.0.0.0", "", "API_HOST"}, {"::", "", "API_HOST"}, {"192.0.2.7", "", "API_HOST"}, {"::ffff:192.0.2.7", "", "API_HOST"}, {"", "", "API_HOST"},
		{"", token, "API_HOST"}, {"plant.example", token, "API_HOST"}, {"127.0.0.1.example", "", "API_HOST"},
		{"127.0.0.1", token[1:], "API_TOKEN"}, {"192.0.2.7", token[1:], "API_TOKEN"}, {"127.0.0.1", token + " ", "API_TOKEN"}, {"127.0.0.1", token + "\n", "API_TOKEN"}, {"127.0.0.1", token + "ü", "API_TOKEN"},
	} {
		config := defaults()
		config.APIHost, config.APIToken = c.host, c.token
		err := config.Check()
		switch {
		case c.bad == "" && err != nil:
			t.Errorf("host %q, token of %d characters: %v", c.host, len(c.token), err)
		case c.bad != "" && (err == nil || !strings.HasPrefix(err.Error(), c.bad+"=")):
			t.Errorf("host %q, token of %d characters: %v, want %s to be refused", c.host, len(c.token), err, c.bad)
		case err != nil && c.token != "" && strings.Contains(err.Error(), c.token[4:20]):
			t.Errorf("the message shows the token: %v", err)
		}
	}
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	config := defaults()
	if config.Authorize() != nil {
		t.Error("without a token somebody is asked for it")
	}
	config.APIToken = "0123456789abcdef0123456789abcdef"
	right := config.Authorize()
	for given, want := range map[string]bool{config.APIToken: true, "": false, config.APIToken[1:]: false, config.APIToken + "0": false, strings.ToUpper(config.APIToken): false} {
		if right(given) != want {
			t.Errorf("%q is taken: %t", given, !want)
		}
	}
}
