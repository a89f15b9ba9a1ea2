package decode

import (
	"net/netip"
	"slices"
	"time"
)

// The bounds of fragments: what is beyond them counts as IP only.
const (
	maxDatagrams    = 64               // in progress
	maxPieces       = 64               // of one datagram
	maxDatagram     = 1 << 16          // bytes
	fragmentTimeout = 30 * time.Second // data time, from the first piece (RFC 8200 section 4.5 allows 60 s)
)

// fragmentKey names the datagram that a fragment is of.
type fragmentKey struct {
	src, dst netip.Addr
	id       uint32
	proto    uint8
}

// datagram is one in progress: its bytes at their places, and which of them are there.
type datagram struct {
	key    fragmentKey
	since  int64
	total  int // 0 until the last piece has come
	data   []byte
	pieces [][2]int // half-open byte ranges, in order of arrival
}

// fragments puts IP datagrams together again, so that a command cut into fragments is read like any other. Packets
// of a plant are not fragmented as a rule, so the few in progress are a slice, oldest first.
type fragments []datagram

// add takes one piece and returns the datagram's payload when it was the last one missing, else nil. A piece that
// overlaps another differently from a repetition discards the datagram, as RFC 5722 demands.
func (f *fragments) add(k fragmentKey, offset int, more bool, b []byte, now int64) []byte {
	for len(*f) > 0 && now-(*f)[0].since > int64(fragmentTimeout) {
		*f = slices.Delete(*f, 0, 1)
	}
	end := offset + len(b)
	if len(b) == 0 || end > maxDatagram || more && len(b)%8 != 0 {
		return nil
	}
	i := slices.IndexFunc(*f, func(g datagram) bool { return g.key == k })
	if i < 0 {
		if len(*f) == maxDatagrams {
			*f = slices.Delete(*f, 0, 1)
		}
		*f = append(*f, datagram{key: k, since: now})
		i = len(*f) - 1
	}
	g := &(*f)[i]
	sum := len(b)
	for _, p := range g.pieces {
		if p == [2]int{offset, end} {
			return nil // a repetition
		}
		if offset < p[1] && p[0] < end {
			*f = slices.Delete(*f, i, i+1)
			return nil
		}
		sum += p[1] - p[0]
	}
	if !more {
		g.total = end
	}
	if len(g.pieces) == maxPieces || g.total > 0 && (end > g.total || len(g.data) > g.total) {
		*f = slices.Delete(*f, i, i+1)
		return nil
	}
	if end > len(g.data) {
		g.data = append(g.data, make([]byte, end-len(g.data))...)
	}
	copy(g.data[offset:], b)
	g.pieces = append(g.pieces, [2]int{offset, end})
	if sum != g.total { // without overlaps the sum of the pieces is the whole
		return nil
	}
	data := g.data
	*f = slices.Delete(*f, i, i+1)
	return data
}
