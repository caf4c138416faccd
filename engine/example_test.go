package engine_test

import (
	"context"
	"fmt"
	"slices"

	"github.com/tidemark/tidemark/engine"
	"github.com/tidemark/tidemark/engine/enginetest"
	"github.com/tidemark/tidemark/engine/state"
)

type wordCount struct {
	Word  string
	Count int
}

// counter counts the words of its key.
type counter struct{ count state.Value[int] }

func (c *counter) Open(o engine.OpenContext) error {
	c.count = state.NewValue[int](o, "count")
	return nil
}

func (c *counter) Process(ctx engine.Context[string], word string, _ engine.Out[wordCount]) error {
	return c.count.Update(ctx, func(n int, _ bool) (int, error) { return n + 1, nil })
}

// FinishKey tells a word's count when all words have been read.
func (c *counter) FinishKey(ctx engine.Context[string], out engine.Out[wordCount]) error {
	n, _, err := c.count.Get(ctx)
	out.Emit(wordCount{ctx.Key(), n})
	return err
}

func Example() {
	job := engine.NewJob("words")
	words := engine.From(job, "words", enginetest.FromSlice("to", "be", "or", "not", "to", "be"))
	byWord := engine.KeyBy(words, func(w string) string { return w })
	sink, counts := enginetest.Collect[wordCount]()
	engine.Process(byWord, "count", func() *counter { return &counter{} }).
		To("out", sink)

	result, err := enginetest.Execute(context.Background(), job)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Records, "words")
	out := counts()
	slices.SortFunc(out, func(a, b wordCount) int { return b.Count*100 - a.Count*100 + int(a.Word[0]) - int(b.Word[0]) })
	for _, c := range out {
		fmt.Println(c.Word, c.Count)
	}
	// Output:
	// 6 words
	// be 2
	// to 2
	// not 1
	// or 1
}
