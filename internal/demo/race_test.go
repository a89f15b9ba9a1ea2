//go:build race

package demo

// underRace says that the race detector runs, which makes each scenario some ten times slower.
const underRace = true
