//go:build !linux

package capture

import (
	"context"
	"iter"

	"breakwater"
)

// Live taps an interface on Linux; here it yields one error that says so.
func Live(_ context.Context, iface string) iter.Seq2[breakwater.Packet, error] {
	return func(yield func(breakwater.Packet, error) bool) {
		yield(breakwater.Packet{}, &breakwater.Error{Kind: breakwater.Unavailable,
			Message: "interface " + iface + ": live capture works on Linux only; capture with tcpdump or dumpcap into a folder and follow that"})
	}
}
