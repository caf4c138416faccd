package coordinator

import (
	"sync"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

// teller calls a Listener, one call at a time.
type teller struct {
	mu sync.Mutex
	to Listener
}

func (t *teller) moved(id checkpoint.ID, s State) {
	if t.to.Moved != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.to.Moved(id, s)
	}
}

func (t *teller) ended(r Report) {
	if t.to.Ended != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.to.Ended(r)
	}
}

func (t *teller) alarm(err error) {
	if t.to.Alarm != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.to.Alarm(err)
	}
}
