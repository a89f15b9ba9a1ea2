//go:build !race

package predict

const underRace = false
