package window_test

import (
	"testing"

	"breakwater/internal/window"
	"breakwater/internal/window/windowtest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	windowtest.Run(t, func(*testing.T) window.Buffer { return window.NewMemory() })
}
