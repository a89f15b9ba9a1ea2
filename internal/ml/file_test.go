package ml

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"breakwater"
)

func TestFileRoundTrip(t *testing.T) {
	t.Parallel()
	for kind, m := range all(t) {
		file := m.Encode()
		got, err := Decode(file)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		if diff := cmp.Diff(m, got, cmp.AllowUnexported(Model{}), cmp.Comparer(func(a, b core) bool { return a.kind() == b.kind() })); diff != "" {
			t.Errorf("%s (-want +got)\n%s", kind, diff)
		}
		if !bytes.Equal(got.Encode(), file) {
			t.Errorf("%s: encoded again, it differs", kind)
		}
		rapid.Check(t, func(rt *rapid.T) {
			v := rapid.SliceOfN(rapid.Float64(), 4, 4).Draw(rt, "vector")
			if a, b := m.Scorer().Score(v), got.Scorer().Score(v); a != b {
				rt.Fatalf("%s: %v scores %v, from its file %v", kind, v, a, b)
			}
		})
	}
}

// Any small model survives the file, whatever its data.
func TestFileProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(1, 6).Draw(t, "features")
		blocks := rapid.IntRange(1, 3).Draw(t, "blocks")
		d := Data{Context: Context{blocks, 1, Last}, Quantile: rapid.Float64Range(0.1, 1).Draw(t, "quantile")}
		for range width {
			d.Names = append(d.Names, rapid.String().Draw(t, "name"))
		}
		vector := rapid.SliceOfN(rapid.Float64(), width*blocks, width*blocks)
		d.Train = rapid.SliceOfN(vector, leastTrain, 24).Draw(t, "train")
		d.Validation = rapid.SliceOfN(vector, leastValidation, 8).Draw(t, "validation")
		var m *Model
		var err error
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			m, err = TrainForest(d, ForestSettings{Trees: 3, Sample: 8})
		case 1:
			m, err = TrainPCA(d, PCASettings{})
		default:
			m, err = TrainAutoencoder(context.Background(), d, []int{2}, Training{Epochs: 1})
		}
		if err != nil {
			t.Fatal(err)
		}
		file := m.Encode()
		got, err := Decode(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Encode(), file) || got.Threshold != m.Threshold || got.Origin != m.Origin {
			t.Fatal("the file gives another model")
		}
	})
}

// sealed makes a file of any header and parameters, with a right checksum.
func sealed(header string, params ...float32) []byte {
	out := append([]byte(magic), binary.LittleEndian.AppendUint32(nil, uint32(len(header)))...)
	out = append(out, header...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(params)))
	for _, p := range params {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(p))
	}
	return reseal(append(out, make([]byte, sha256.Size)...))
}

// reseal writes the right checksum.
func reseal(file []byte) []byte {
	if len(file) < sha256.Size {
		return file
	}
	sum := sha256.Sum256(file[:len(file)-sha256.Size])
	return append(file[:len(file)-sha256.Size:len(file)-sha256.Size], sum[:]...)
}

func TestHostileFiles(t *testing.T) {
	t.Parallel()
	head := func(change string, value any) string {
		h := map[string]any{
			"kind": "pca", "features": []string{"x"}, "context": map[string]any{"blocks": 1, "stride": 1, "summary": "last"}, "threshold": 1, "quantile": 0.9,
			"origin": map[string]any{"fingerprint": "00", "trained": 20, "validated": 5},
			"scaler": map[string]any{"middle": []int{0}, "spread": []int{1}, "low": []int{0}, "high": []int{0}},
		}
		h[change] = value
		text, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if _, err := Decode(sealed(head("threshold", 2), 0, 1)); err != nil {
		t.Fatal(err)
	}
	good := all(t)[Autoencoder].Encode()
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 1
	newer := bytes.Clone(good)
	newer[7] = 2
	huge := append([]byte(magic), 0xff, 0xff, 0xff, 0xff)
	for name, test := range map[string]struct {
		file []byte
		says string
	}{
		"empty":             {nil, "no model file"},
		"other file":        {[]byte("PK\x03\x04 and so on, for long enough to hold everything that a header has"), "no model file"},
		"newer":             {reseal(newer), "version 2"},
		"only magic":        {[]byte(magic), "too early"},
		"cut":               {good[:len(good)-5], "damaged"},
		"flipped":           {flipped, "damaged"},
		"huge header":       {reseal(append(huge, make([]byte, 64)...)), "too early"},
		"huge parameters":   {reseal(append(append([]byte(magic), 2, 0, 0, 0, '{', '}', 0xff, 0xff, 0xff, 0xff), make([]byte, 32)...)), "parameters"},
		"no JSON":           {sealed("{", 1), "header"},
		"unknown field":     {sealed(head("colour", 1), 0, 1), "header"},
		"huge number":       {sealed(strings.Replace(head("threshold", 7), "7", "1e999", 1), 0, 1), "header"},
		"kind":              {sealed(head("kind", "oracle"), 0, 1), "oracle"},
		"no features":       {sealed(head("features", nil), 0, 1), "vectors of 0"},
		"context":           {sealed(head("context", map[string]any{"blocks": -1}), 0, 1), "context"},
		"huge context":      {sealed(head("context", map[string]any{"blocks": 1 << 40, "stride": 1 << 40, "summary": "last"}), 0, 1), "context"},
		"quantile":          {sealed(head("quantile", -1), 0, 1), "quantile"},
		"origin":            {sealed(head("origin", map[string]any{"trained": -5}), 0, 1), "origin"},
		"no scaler":         {sealed(head("scaler", nil), 0, 1), "scaler"},
		"flat scaler":       {sealed(head("scaler", map[string]any{"middle": []int{0}, "spread": []int{0}, "low": []int{0}, "high": []int{0}}), 0, 1), "spread"},
		"short scaler":      {sealed(head("scaler", map[string]any{"middle": []int{0}}), 0, 1), "scaler"},
		"NaN":               {sealed(head("threshold", 2), 0, float32(math.NaN())), "finite"},
		"few parameters":    {sealed(head("threshold", 2)), "parameters"},
		"many components":   {sealed(head("threshold", 2), 0, 1, 1), "parameters"},
		"layers":            {sealed(head("kind", "autoencoder"), 0, 1), "layers"},
		"half a node":       {sealed(head("kind", "isolation-forest"), -1, 0), "nodes"},
		"feature of a node": {sealed(head("kind", "isolation-forest"), 1e30, 0, 0), "nodes"},
		"no trees":          {sealed(head("kind", "isolation-forest"), -1, 0, 0), "trees"},
	} {
		m, err := Decode(test.file)
		if m != nil && err == nil || breakwater.KindOf(err) != breakwater.Invalid || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v; want it to speak of %q", name, err, test.says)
		}
	}
}

// A file that is read gives a model that scores and writes itself; anything else is an error, never a panic. The checksum
// is made right, or nothing else would be looked at.
func FuzzDecode(f *testing.F) {
	for _, m := range all(f) {
		f.Add(m.Encode())
	}
	f.Add(sealed(`{"kind":"pca"}`, 1))
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := Decode(reseal(file))
		if err != nil {
			if breakwater.KindOf(err) != breakwater.Invalid {
				t.Fatalf("error of kind %v: %v", breakwater.KindOf(err), err)
			}
			return
		}
		vector := make([]float64, m.Dimensions())
		s := m.Scorer()
		if score := s.Score(vector); math.IsNaN(score) {
			t.Fatal("the score is NaN")
		}
		Sentence(s.Explain(vector))
		again, err := Decode(m.Encode())
		if err != nil || !bytes.Equal(again.Encode(), m.Encode()) {
			t.Fatalf("what was read cannot be written: %v", err)
		}
	})
}
