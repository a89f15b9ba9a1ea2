package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
)

// unmarshal is json.Unmarshal that also takes whole numbers for integers as other languages write them, 3.0 or 3e2. To
// JSON Schema they are integers, to encoding/json they are not.
func unmarshal(text []byte, v any) error {
	err := json.Unmarshal(text, v)
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok || !strings.HasPrefix(wrong.Value, "number") {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree any
	if decoder.Decode(&tree) != nil {
		return err
	}
	plain, failed := json.Marshal(wholes(tree))
	if failed != nil {
		return err
	}
	return json.Unmarshal(plain, v)
}

// wholes writes whole numbers without point and exponent, as far as a float64 holds each of them.
func wholes(tree any) any {
	switch v := tree.(type) {
	case []any:
		for i := range v {
			v[i] = wholes(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = wholes(v[name])
		}
	case json.Number:
		f, err := v.Float64()
		if err == nil && f == math.Trunc(f) && math.Abs(f) <= 1<<53 && strings.ContainsAny(v.String(), ".eE") {
			return json.Number(strconv.FormatInt(int64(f), 10))
		}
	}
	return tree
}
