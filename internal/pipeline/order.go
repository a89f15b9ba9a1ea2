package pipeline

import (
	"container/heap"
	"iter"
	"time"
)

// ahead is how many entries of a log may come before one that is older than they are and still be put behind it. A
// connection is logged when it ends, with the time when it began.
const ahead = 1 << 15

// inOrder gives entries in order of time, those of one time in the order in which they came. One that comes more than
// ahead entries late is given late; the sensor takes it as of the time reached.
func inOrder(entries iter.Seq[Entry]) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		var waiting entryHeap
		n := 0
		for e := range entries {
			heap.Push(&waiting, numbered{e, e.time(), n})
			n++
			if len(waiting) > ahead && !yield(heap.Pop(&waiting).(numbered).Entry) {
				return
			}
		}
		for len(waiting) > 0 {
			if !yield(heap.Pop(&waiting).(numbered).Entry) {
				return
			}
		}
	}
}

// numbered is an entry and its place among those that came.
type numbered struct {
	Entry
	at time.Time
	n  int
}

// entryHeap is a heap.Interface by time and place.
type entryHeap []numbered

func (h entryHeap) Len() int { return len(h) }
func (h entryHeap) Less(i, j int) bool {
	if c := h[i].at.Compare(h[j].at); c != 0 {
		return c < 0
	}
	return h[i].n < h[j].n
}
func (h entryHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *entryHeap) Push(x any)   { *h = append(*h, x.(numbered)) }
func (h *entryHeap) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = numbered{}
	*h = (*h)[:len(*h)-1]
	return last
}
