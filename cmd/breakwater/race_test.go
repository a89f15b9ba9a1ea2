//go:build race

package main

// underRace says that the race detector runs, which makes training and evaluation ten to twenty times as long.
const underRace = true
