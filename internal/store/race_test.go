//go:build race

package store

import "flag"

// With the race detector a property is tried less often: SQLite, which is Go here, is ten times as slow with it, and what the
// detector looks for shows in few turns. Without it, on all engines, each is tried as often as usual.
func init() { flag.Set("rapid.checks", "15") }
