package pipeline

import (
	_ "embed"
	"encoding/hex"
	"strings"
	"sync"

	"breakwater"
)

//go:embed oui.txt
var ouiText string

// vendors is oui.txt by prefix. A line that is wrong is a mistake of ours, which the test finds.
var vendors = sync.OnceValue(func() map[[3]byte]string {
	all := map[[3]byte]string{}
	for line := range strings.Lines(ouiText) {
		name, prefixes, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if strings.HasPrefix(line, "#") {
			continue
		}
		for prefix := range strings.FieldsSeq(prefixes) {
			var p [3]byte
			if n, err := hex.Decode(p[:], []byte(prefix)); err == nil && n == len(p) {
				all[p] = name
			}
		}
	}
	return all
})

// vendorOf is who made the interface of a MAC, "" where that is not known: the table does not have it, or the address
// was not assigned but chosen (IEEE 802: second lowest bit of the first byte).
func vendorOf(m breakwater.MAC) string {
	if m == (breakwater.MAC{}) || m[0]&2 != 0 {
		return ""
	}
	return vendors()[[3]byte(m[:3])]
}
