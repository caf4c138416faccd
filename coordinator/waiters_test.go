package coordinator

import (
	"context"
	"testing"

	"github.com/tidemark/tidemark/upload/memstore"
)

// I12: who gave up waiting for a checkpoint is not remembered.
func TestCallersWhoGaveUpAreForgotten(t *testing.T) {
	c, err := Open(t.Context(), Options{Store: memstore.New(), Job: "j", Graph: testGraph})
	if err != nil {
		t.Fatal(err)
	}
	given, cancel := context.WithCancel(t.Context())
	cancel()
	for range 1000 {
		_, _ = c.Trigger(given)
		_ = c.Finish(given)
	}
	handled := make(chan struct{})
	c.mail.post(letter{event: ticked{}, handled: handled})
	<-handled
	c.shut()
	if n := len(c.loop.asks) + len(c.loop.finishes); n > 2 {
		t.Errorf("%d callers are remembered", n)
	}
}
