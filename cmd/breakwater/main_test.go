package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"breakwater/internal/store/storetest"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write the golden help texts anew")

// TestMain lets the test binary be the program, so that scripts run it as a user would.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"breakwater": main})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	url := "sqlite://x.db" // in the folder of each script
	if storetest.OnPostgres() {
		url = storetest.URL(t)
	}
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true,
		Condition: func(name string) (bool, error) {
			if name != "race" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return underRace, nil
		},
		Setup: func(env *testscript.Env) error { env.Setenv("NEW_DATABASE", url); return nil }})
}

// TestOnPostgres is all of these tests again, on the other engine.
func TestOnPostgres(t *testing.T) { storetest.Again(t) }

// TestHelp holds the help of every command as a golden text.
func TestHelp(t *testing.T) {
	for _, command := range []string{
		"", "serve", "replay", "decode", "plant", "plant record", "plant serve", "rules", "rules list", "rules check", "baseline", "fl", "fl simulate", "sensor", "train", "eval", "attack", "attack import", "attack eval",
		"migrate", "migrate up", "migrate down", "migrate status", "version", "demo", "seed",
	} {
		t.Run(command, func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := run(context.Background(), append(strings.Fields(command), "--help"), streams{strings.NewReader(""), &out, &errs}); code != exitOK {
				t.Fatalf("exit code %d: %s", code, errs.String())
			}
			path := filepath.Join("testdata", "help", strings.ReplaceAll("breakwater "+command, " ", "_")+".txt")
			path = strings.ReplaceAll(path, "_.txt", ".txt")
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out.Bytes(), want) {
				t.Errorf("%s is stale: run `make generate`\n%s", path, out.String())
			}
		})
	}
}
