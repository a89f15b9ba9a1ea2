package store

import (
	"slices"
	"strings"
	"testing"

	"breakwater"

	"pgregory.net/rapid"
)

func TestSearchFinds(t *testing.T) {
	t.Parallel()
	const text = "10.0.0.57 (new here) wrote coils 0-9 of PLC 10.0.0.11, rule write-from-new-host; Größe É/b_c http://x.y:502"
	for search, want := range map[string]bool{
		"10.0.0.57": true, "10.0.0.5": true, "10.0.0": true, "10.0": true, "1": true, "0.57": true, "57": true, "0.0.57 11": true,
		"10.0.0.7": false, "0.0.5 58": false, "wrote": true, "WROTE coils": true, "coils wrote": true, "rote": false, "coilsx": false,
		"0-9": true, "0-": true, "write-from": true, "from-new": true, "new-host": true, "host": true, "ost": false, "from-host": false,
		"größe": true, "GRÖSSE": false, "é": true, "e": false, "b_c": true, "c": true, "x.y:502": true, "502": true, ":502": true, "http://x": true,
		"(new": true, "10.0.0.11,": true, "--host--": true, "here wrote plc rule": true,
	} {
		words, err := searchWords(search)
		if err != nil {
			t.Errorf("%q: %v", search, err)
			continue
		}
		if got := found(text, words); got != want {
			t.Errorf("%q is found: %v, want %v", search, got, want)
		}
	}
	for _, bad := range []string{"", " ", "-", "?!", "...", "a b c d e f g h i j k"} {
		_, err := searchWords(bad)
		wantError(t, err, breakwater.Invalid, "search holds")
	}
}

// found looks for words in a text as the index does: by terms.
func found(text string, words []string) bool {
	var terms []string
	eachWord(text, func(w string) { wordTerms(w, func(term string) { terms = append(terms, term) }) })
	for _, w := range words {
		from, to := wordRange(w)
		if !slices.ContainsFunc(terms, func(term string) bool { return term >= from && term < to }) {
			return false
		}
	}
	return true
}

// The terms of a text and the range of a search meet where, and only where, a word of it begins so.
func TestWordTermsProperty(t *testing.T) {
	t.Parallel()
	letters := rapid.SampledFrom([]rune("aab1é-./_: ,"))
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(letters, 0, 30, -1).Draw(t, "text") + strings.Repeat("a", rapid.SampledFrom([]int{0, wordMax - 2, wordMax, wordMax + 9}).Draw(t, "long"))
		search := rapid.StringOfN(letters, 1, 8, -1).Draw(t, "search")
		words, err := searchWords(search)
		if err != nil {
			t.Skip()
		}
		want := true
		for _, w := range words {
			want = want && finds(text, w)
		}
		if got := found(text, words); got != want {
			t.Fatalf("%q in %q is found: %v, want %v", search, text, got, want)
		}
	})
}

func TestBlocksProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		places := rapid.SliceOfDistinct(rapid.IntRange(0, blockSize-1), rapid.ID).Draw(t, "places")
		if rapid.Bool().Draw(t, "dense") {
			for i := range blockSize / 3 {
				places = append(places, i*3)
			}
		}
		slices.Sort(places)
		places = slices.Compact(places)
		set, other := newPlaces(blockSize), newPlaces(blockSize)
		both := 0
		for _, p := range places {
			set[p/64] |= 1 << (p % 64)
			if p%2 == 0 {
				both++
			}
		}
		for i := range other {
			other[i] = 0x5555555555555555
		}
		packed := packBlock(set)
		got := newPlaces(blockSize)
		unpackBlock(got, packed)
		if !slices.Equal(got.list(), places) || got.count() != len(places) || countIn(other, packed) != both || len(packed) > blockBytes {
			t.Fatalf("%v came back as %v in %d bytes; %d of them even, want %d", places, got.list(), len(packed), countIn(other, packed), both)
		}
	})
}
