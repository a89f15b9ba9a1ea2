//go:build race

package predict

// underRace says that the race detector runs, which makes the walk twenty times as long.
const underRace = true
