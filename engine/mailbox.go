package engine

import (
	"context"
	"sync"

	"github.com/tidemark/tidemark/engine/checkpoint"
)

type messageKind uint8

const (
	messageTrigger   messageKind = iota // start a checkpoint here
	messageCommitted                    // a checkpoint is committed
	messageAborted                      // a checkpoint will never be committed
	messageDrain                        // all input has ended: sources end their streams
	messagePublish                      // no checkpoints are taken: publish everything
	messageStop                         // all is done
)

// message is what reaches a subtask beside the records.
type message struct {
	kind    messageKind
	barrier checkpoint.Barrier
	ref     checkpoint.Ref
}

// mailbox holds the messages to one subtask, in order.
type mailbox struct {
	wake   chan<- struct{}
	parent context.Context

	mu       sync.Mutex
	messages []message
	read     context.Context // ends when a message comes
	woken    context.CancelFunc
}

// post adds a message and wakes the subtask. It never waits.
func (m *mailbox) post(msg message) {
	m.mu.Lock()
	m.messages = append(m.messages, msg)
	if m.woken != nil {
		m.woken()
	}
	m.mu.Unlock()
	signal(m.wake)
}

// take removes all messages.
func (m *mailbox) take() []message {
	m.mu.Lock()
	defer m.mu.Unlock()
	msgs := m.messages
	m.messages = nil
	return msgs
}

// reading returns a context that ends with the next message, at once if there
// is one. It is renewed only after it ended.
func (m *mailbox) reading() context.Context {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.read == nil || m.read.Err() != nil {
		m.read, m.woken = context.WithCancel(m.parent)
		if len(m.messages) > 0 {
			m.woken()
		}
	}
	return m.read
}

// close frees the reading context.
func (m *mailbox) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.woken != nil {
		m.woken()
	}
}
