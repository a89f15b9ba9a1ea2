package store

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"breakwater"
)

// What a search finds, and how text is cut into index terms for it. Both engines find the same, because neither has a
// say in it.
//
// A word of a search is found where it begins, without regard to case, at a letter or digit that follows none: "scan"
// finds "Scanned 20 ports", "10.0.0" finds "10.0.0.57", and "host" finds "write-from-new-host". Letters and digits that
// are joined by one of . : _ - / are one word, so that an address is one. All words of a search must be found, each
// somewhere in title or description.

const (
	// wordMax is how many bytes of a word count: what is longer is cut, in a text as in a search.
	wordMax = 48
	// wordsMax is how many words of one alert can be found.
	wordsMax = 600
	// searchWordsMax bounds the words of one search.
	searchWordsMax = 10
)

const joiners = ".:_-/"

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) }

// eachWord gives every stretch of a text that a search may begin: in lower case, from a letter or digit that follows
// none to the end of its word.
func eachWord(text string, give func(string)) {
	text = strings.ToLower(text)
	for _, compound := range strings.FieldsFunc(text, func(r rune) bool { return !inWord(r) && !strings.ContainsRune(joiners, r) }) {
		compound = strings.Trim(compound, joiners)
		after := true // the last rune was no part of a word
		for i, r := range compound {
			if after && inWord(r) {
				give(cutWord(compound[i:]))
			}
			after = !inWord(r)
		}
	}
}

// cutWord is at most wordMax bytes, and whole runes.
func cutWord(w string) string {
	if len(w) <= wordMax {
		return w
	}
	end := wordMax
	for !utf8.RuneStart(w[end]) {
		end--
	}
	return w[:end]
}

// searchWords are the words of a search. The error is of kind Invalid where there is none, or there are too many.
func searchWords(search string) ([]string, error) {
	var words []string
	for _, field := range strings.FieldsFunc(strings.ToLower(search), func(r rune) bool { return !inWord(r) && !strings.ContainsRune(joiners, r) }) {
		if w := strings.Trim(field, joiners); w != "" {
			words = append(words, cutWord(w))
		}
	}
	slices.Sort(words)
	words = slices.Compact(words)
	switch {
	case len(words) == 0:
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Field: "search", Message: "search holds no word to look for: a word has a letter or a digit"}
	case len(words) > searchWordsMax:
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Field: "search", Message: fmt.Sprintf("search holds %d words: at most %d are looked for", len(words), searchWordsMax)}
	}
	return words, nil
}

// A word is indexed at a few lengths only, its cuts: after two runes, after four, after each joiner, and whole. A cut
// depends on nothing behind it. The term of a cut tells the length of the cut before, so that the terms which stand for
// every word that begins with q, and no other, are neighbours: those that begin with q and whose cut before is the
// longest of q's own. "10.0.0.57" is 00 "10", 02 "10.", 03 "10.0", 04 "10.0.", 05 "10.0.0." and 07 "10.0.0.57"; whoever
// looks for "10.0.0" reads 05 "10.0.0…", and 05 "10.0.0." is one term for a whole subnet.

// cuts gives the lengths at which a word is indexed, in bytes, growing.
func cuts(w string, give func(int)) {
	runes, joined := 0, false
	for i, r := range w {
		if i > 0 && (runes == 2 || runes == 4 || joined) {
			give(i)
		}
		runes++
		joined = strings.ContainsRune(joiners, r)
	}
	give(len(w))
}

// wordTerms gives the terms that a word is indexed by.
func wordTerms(w string, give func(string)) {
	before := 0
	cuts(w, func(end int) {
		give(wordTerm(before, w[:end]))
		before = end
	})
}

// wordRange is where the terms of all words lie that begin with q: those from the first up to the second.
func wordRange(q string) (from, to string) {
	before := 0
	cuts(q, func(end int) {
		if end < len(q) {
			before = end
		}
	})
	from = wordTerm(before, q)
	return from, from + string(unicode.MaxRune) // no word holds it
}

func wordTerm(before int, text string) string {
	return string([]byte{termWord, byte('0' + before/10), byte('0' + before%10)}) + text
}
