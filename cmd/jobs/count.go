package jobs

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/source"
	"github.com/tidemark/tidemark/engine/source/nexmark"
)

// KeyCount is a row of count and count-hot.
type KeyCount struct {
	Key   uint64 `json:"key"`
	Count int64  `json:"count"`
}

// Hash implements sink.Hasher.
func (r KeyCount) Hash() uint64 { return nexmark.Fold(nexmark.Fold(0, r.Key), uint64(r.Count)) }

// WordCount is a row of wordcount.
type WordCount struct {
	Word  string `json:"word"`
	Count int64  `json:"count"`
}

// Hash implements sink.Hasher.
func (r WordCount) Hash() uint64 {
	return nexmark.Fold(nexmark.FoldString(0, r.Word), uint64(r.Count))
}

// counting counts the records of each key.
func counting[K comparable, U any](row func(K, int64) U) aggregation[K, K, int64, U] {
	return aggregation[K, K, int64, U]{
		update: func(n *int64, _ bool, _ K) bool {
			*n++
			return true
		},
		row: row,
	}
}

func itself[K any](k K) K { return k }

func count(b *builder)    { countKeys(b, nexmark.CountKeys(b.options.nexmark())) }
func countHot(b *builder) { countKeys(b, nexmark.HotCountKeys(b.options.nexmark())) }

func countKeys(b *builder, keys nexmark.Source[uint64]) {
	b.results.Records = keys.Records()
	byKey := engine.KeyBy(engine.From(b.job, "keys", keys), itself[uint64])
	counts := aggregate(b, byKey, "count", counting(func(k uint64, n int64) KeyCount { return KeyCount{k, n} }))
	output(b, counts, "out", "", true)
}

func wordcount(b *builder) {
	lines := engine.From(b.job, "lines", source.Lines(b.options.Input, source.Options{OnMalformed: b.options.OnMalformed}))
	words := engine.FlatMap(lines, "words", func(line string, out engine.Out[string]) {
		for word := range words(line) {
			out.Emit(word)
		}
	})
	counts := aggregate(b, engine.KeyBy(words, itself[string]), "count", counting(func(w string, n int64) WordCount { return WordCount{w, n} }))
	output(b, counts, "out", "", true)
}

// words yields the words of a line: the longest runs of Unicode letters and
// digits, in lower case. Everything else parts words, invalid UTF-8 too. The
// words share no memory with the line.
func words(line string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for {
			start := strings.IndexFunc(line, inWord)
			if start < 0 {
				return
			}
			line = line[start:]
			end := strings.IndexFunc(line, func(r rune) bool { return !inWord(r) })
			if end < 0 {
				end = len(line)
			}
			if !yield(strings.Clone(strings.ToLower(line[:end]))) {
				return
			}
			line = line[end:]
		}
	}
}

func inWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}
