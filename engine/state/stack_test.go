package state_test

import (
	"testing"

	"github.com/tidemark/tidemark/engine/state"
)

// Keys and values are encoded where they lie on the stack. Wherever that has to
// grow, and so move, meanwhile, what is encoded is the same.
func TestEncodingWhileTheStackGrows(t *testing.T) {
	keys, err := state.KeyCodecOf[string]()
	if err != nil {
		t.Fatal(err)
	}
	values, err := state.CodecOf[[2]string]()
	if err != nil {
		t.Fatal(err)
	}
	encode := func() string {
		b, err := values.Append(keys.Append(nil, "key"), [2]string{"one", "two"})
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	want := encode()
	got := make(chan string)
	for depth := range 3000 {
		go func() { got <- below(depth, encode) }() // each begins with a small stack
		if s := <-got; s != want {
			t.Fatalf("%d calls down: %q, want %q", depth, s, want)
		}
	}
}

//go:noinline
func below(depth int, f func() string) string {
	if depth == 0 {
		return f()
	}
	return below(depth-1, f)
}
