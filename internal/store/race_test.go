//go:build race

package store

import (
	"flag"
	"testing"
)

// With the race detector a property is tried less often, and in one of SQLite's two places: SQLite, which is Go here, is ten
// times as slow with it, and what the detector looks for shows in few turns. Without it, on all engines, each is tried as often
// as usual.
func init() {
	flag.Set("rapid.checks", "15")
	delete(engines, "sqlite memory")
}

// manyRows is for tests that take minutes with the race detector and give it nothing to look at: one goroutine, and
// thousands of rows. They run without it.
func manyRows(t *testing.T) {
	t.Helper()
	t.Skip("one goroutine and thousands of rows: nothing to see for the race detector")
}
