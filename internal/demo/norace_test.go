//go:build !race

package demo

// repetitions of each scenario.
const repetitions = 10
