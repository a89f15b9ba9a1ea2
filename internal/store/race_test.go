//go:build race

package store

import "flag"

// underRace says that the race detector runs, with which SQLite, which is Go here, is ten times as slow.
const underRace = true

// A property is tried less often with it: what the detector looks for shows in few turns. Without it, on all engines, each is
// tried as often as usual.
func init() { flag.Set("rapid.checks", "15") }
