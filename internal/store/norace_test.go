//go:build !race

package store

import "testing"

func manyRows(*testing.T) {}
