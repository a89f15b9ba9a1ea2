package ml

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"breakwater"
)

// A model file, version 1; numbers are little-endian:
//
//	8 bytes   "BWMODEL" and the version, 1
//	4 bytes   length of the header
//	…         header: JSON, what a person would ask of the file
//	4 bytes   number of parameters
//	…         parameters, float32
//	32 bytes  SHA-256 of all before: damage is noticed; who wrote it is not said
//
// The forest's parameters are three for each node: feature or -1, cut or path length, right child.
const (
	magic      = "BWMODEL\x01"
	mostHeader = 1 << 20
)

type header struct {
	Kind      Kind     `json:"kind"`
	Names     []string `json:"features"`
	Context   Context  `json:"context"`
	Threshold float64  `json:"threshold"`
	Quantile  float64  `json:"quantile"`
	Origin    Origin   `json:"origin"`
	Scaler    *Scaler  `json:"scaler"`
	Sizes     []int    `json:"sizes,omitempty"`  // of an autoencoder's layers
	Trees     []int    `json:"trees,omitempty"`  // nodes of a forest's trees
	Sample    int      `json:"sample,omitempty"` // vectors that each was grown from
}

// Encode writes the model file.
func (m *Model) Encode() []byte {
	h := header{Kind: m.Kind(), Names: m.Names, Context: m.Context, Threshold: m.Threshold, Quantile: m.Quantile, Origin: m.Origin, Scaler: m.Scaler}
	var params []float32
	switch c := m.core.(type) {
	case *forest:
		h.Trees, h.Sample = c.trees, c.sample
		for _, n := range c.nodes {
			params = append(params, float32(n.feature), n.value, float32(n.right))
		}
	case *Network:
		h.Sizes, params = c.sizes, c.params
	case *linear:
		params = c.params
	}
	text, err := json.Marshal(h)
	if err != nil {
		panic("ml: a model holds what JSON cannot: " + err.Error()) // only finite numbers get in
	}
	out := append([]byte(magic), binary.LittleEndian.AppendUint32(nil, uint32(len(text)))...)
	out = append(out, text...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(params)))
	for _, p := range params {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(p))
	}
	sum := sha256.Sum256(out)
	return append(out, sum[:]...)
}

// Decode reads a model file. What it takes in memory is bounded by the length of the file, which may come from anywhere.
func Decode(file []byte) (*Model, error) {
	text, params, err := unpack(file)
	if err != nil {
		return nil, err
	}
	var h header
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&h); err != nil {
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Message: "the model file's header cannot be read", Err: err}
	}
	if err := h.Context.check(); err != nil {
		return nil, err
	}
	m := &Model{Names: h.Names, Context: h.Context, Scaler: h.Scaler, Threshold: h.Threshold, Quantile: h.Quantile, Origin: h.Origin}
	dimensions := m.Dimensions()
	switch {
	case dimensions < 1 || dimensions > mostDimensions:
		return nil, invalid("features", "the model file has vectors of %d values; 1 to %d are possible", dimensions, mostDimensions)
	case h.Scaler == nil:
		return nil, invalid("scaler", "the model file has no scaler")
	case !(h.Quantile > 0 && h.Quantile <= 1):
		return nil, invalid("quantile", "the model file's quantile %g is not between 0 and 1", h.Quantile)
	case h.Origin.Trained < 0 || h.Origin.Validated < 0 || len(h.Origin.Fingerprint) > 64:
		return nil, invalid("origin", "the model file's origin makes no sense")
	}
	if err := h.Scaler.check(dimensions); err != nil {
		return nil, err
	}
	m.core, err = h.core(dimensions, params)
	return m, err
}

// unpack takes the file apart into header and parameters.
func unpack(file []byte) (text []byte, params []float32, err error) {
	if !bytes.HasPrefix(file, []byte(magic[:7])) {
		return nil, nil, invalid("", "this is no model file")
	}
	if len(file) > 7 && file[7] != magic[7] {
		return nil, nil, invalid("", "the model file is of version %d; this program reads version %d", file[7], magic[7])
	}
	short := invalid("", "the model file ends too early, at %d bytes", len(file))
	if len(file) < len(magic)+4+4+sha256.Size {
		return nil, nil, short
	}
	body, sum := file[:len(file)-sha256.Size], file[len(file)-sha256.Size:]
	if want := sha256.Sum256(body); !bytes.Equal(sum, want[:]) {
		return nil, nil, invalid("", "the model file is damaged: its checksum is not that of its contents")
	}
	rest := body[len(magic):]
	n := int64(binary.LittleEndian.Uint32(rest))
	if rest = rest[4:]; n > mostHeader || n > int64(len(rest))-4 {
		return nil, nil, short
	}
	text, rest = rest[:n], rest[n:]
	n = int64(binary.LittleEndian.Uint32(rest))
	if rest = rest[4:]; n > mostParameters || 4*n != int64(len(rest)) {
		return nil, nil, invalid("", "the model file says %d parameters and holds %d bytes of them", n, len(rest))
	}
	params = make([]float32, n)
	for i := range params {
		params[i] = math.Float32frombits(binary.LittleEndian.Uint32(rest[4*i:]))
	}
	if i := notFinite(params); i >= 0 {
		return nil, nil, invalid("", "parameter %d of the model file is %g, not a finite number", i, params[i])
	}
	return text, params, nil
}

// core makes what was learned of the parameters.
func (h *header) core(dimensions int, params []float32) (core, error) {
	wrong := func(want string) error {
		return invalid("", "the model file's %d parameters are not those of %s", len(params), want)
	}
	switch h.Kind {
	case Autoencoder:
		if err := checkSizes(h.Sizes); err != nil {
			return nil, err
		}
		if h.Sizes[0] != dimensions || parameters(h.Sizes) != len(params) {
			return nil, wrong(fmt.Sprintf("layers of %v over %d values", h.Sizes, dimensions))
		}
		return &Network{sizes: h.Sizes, params: params, layers: views(h.Sizes, params)}, nil
	case PCA:
		if len(params)%dimensions != 0 || len(params) < dimensions || len(params) > (dimensions+1)*dimensions {
			return nil, wrong(fmt.Sprintf("components of %d values", dimensions))
		}
		return &linear{dimensions, params}, nil
	case IsolationForest:
		if len(params)%3 != 0 {
			return nil, wrong("nodes")
		}
		f := &forest{dimensions: dimensions, sample: h.Sample, trees: h.Trees, nodes: make([]node, len(params)/3)}
		for i := range f.nodes {
			feature, value, right := params[3*i], params[3*i+1], params[3*i+2]
			if feature < -1 || feature > mostDimensions || right < 0 || right > mostParameters {
				return nil, wrong("nodes")
			}
			f.nodes[i] = node{int32(feature), value, int32(right)}
		}
		return f, f.check()
	}
	return nil, invalid("kind", "models of kind %.40q are not known", string(h.Kind))
}
