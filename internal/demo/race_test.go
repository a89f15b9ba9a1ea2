//go:build race

package demo

// repetitions of each scenario: the race detector makes each some ten times slower.
const repetitions = 2
