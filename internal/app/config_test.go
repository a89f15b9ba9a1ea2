package app

import (
	"flag"
	"os"
	"strings"
	"testing"

	"breakwater"
)

var update = flag.Bool("update", false, "write .env.example anew")

func defaults() Config {
	return Config{APIHost: "127.0.0.1", APIPort: "8000", CORSOrigins: "http://localhost:3000", DatabaseURL: "sqlite://breakwater.db", LogLevel: "info", LogFormat: "text"}
}

func TestEnvExample(t *testing.T) {
	const path = "../../.env.example"
	want := EnvExample()
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
		t.Error(".env.example is not what the program reads: run `make generate`")
	}
}

func TestCheckNamesTheBadSetting(t *testing.T) {
	t.Parallel()
	good := defaults()
	if err := good.Check(); err != nil {
		t.Fatalf("the defaults are refused: %v", err)
	}
	for name, spoil := range map[string]func(*Config){
		"API_HOST":     func(c *Config) { c.APIHost = "0.0.0.0" },
		"API_PORT":     func(c *Config) { c.APIPort = "eighty" },
		"CORS_ORIGINS": func(c *Config) { c.CORSOrigins = "localhost:3000/x" },
		"DATABASE_URL": func(c *Config) { c.DatabaseURL = "mysql://x" },
		"LOG_LEVEL":    func(c *Config) { c.LogLevel = "loud" },
		"LOG_FORMAT":   func(c *Config) { c.LogFormat = "xml" },
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
