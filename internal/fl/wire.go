package fl

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	"breakwater"
)

// Parameters on the wire, version 1; numbers are little-endian:
//
//	8 bytes  "BWPARAM" and the version, 1
//	4 bytes  how many
//	4 bytes  CRC-32 (IEEE) of what follows
//	…        float32 each
const (
	wireMagic  = "BWPARAM\x01"
	wireHeader = len(wireMagic) + 8
	// mostParameters is the most that one message holds: 4 MiB.
	mostParameters = 1 << 20
)

// WireMax is the most bytes that parameters on the wire take.
const WireMax = wireHeader + 4*mostParameters

// Encode writes parameters, or a change of them, as they are on the wire.
func Encode(params []float32) []byte {
	out := make([]byte, 0, wireHeader+4*len(params))
	out = append(out, wireMagic...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(params)))
	out = append(out, 0, 0, 0, 0)
	for _, p := range params {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(p))
	}
	binary.LittleEndian.PutUint32(out[wireHeader-4:], crc32.ChecksumIEEE(out[wireHeader:]))
	return out
}

// Decode reads what Encode writes, from anywhere: all numbers are finite. The error is of kind Invalid.
func Decode(message []byte) ([]float32, error) {
	bad := func(format string, args ...any) error {
		return &breakwater.Error{Kind: breakwater.Invalid, Field: "body", Message: "the body is no parameters: " + fmt.Sprintf(format, args...)}
	}
	switch {
	case len(message) < wireHeader || string(message[:7]) != wireMagic[:7]:
		return nil, bad("it does not begin with %q, a version, a number and a checksum", wireMagic[:7])
	case message[7] != wireMagic[7]:
		return nil, bad("it is of version %d; version %d is read here", message[7], wireMagic[7])
	}
	n, values := binary.LittleEndian.Uint32(message[8:]), message[wireHeader:]
	switch {
	case n > mostParameters:
		return nil, bad("it says that it holds %d numbers; %d are the most", n, mostParameters)
	case len(values) != 4*int(n):
		return nil, bad("it says that it holds %d numbers, and %d bytes follow", n, len(values))
	case crc32.ChecksumIEEE(values) != binary.LittleEndian.Uint32(message[12:]):
		return nil, bad("its checksum is not that of what follows")
	}
	params := make([]float32, n)
	for i := range params {
		params[i] = math.Float32frombits(binary.LittleEndian.Uint32(values[4*i:]))
	}
	if i := slices.IndexFunc(params, func(v float32) bool { return v-v != 0 }); i >= 0 {
		return nil, bad("number %d is %g, which is not finite", i, params[i])
	}
	return params, nil
}
