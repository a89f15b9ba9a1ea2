//go:build race

package main

// underRace says that the race detector runs, which makes the evaluation of predictions twenty times as long.
const underRace = true
