package coordinator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
)

// ack takes a subtask's part of a checkpoint. The first acknowledgement of a subtask
// counts. One for a checkpoint that was aborted revives nothing: what it uploaded is
// discarded.
func (m *machine) ack(now time.Time, a checkpoint.Ack) {
	if m.phase != leads || a.Epoch != m.head.Epoch {
		return
	}
	p, ok := m.find(a.Checkpoint)
	if !ok {
		if slices.Contains(m.aborts, a.Checkpoint) {
			m.discard(ownObjects(a.Ref(), &a))
		}
		return
	}
	i, ok := m.attempt.subtasks[a.Subtask]
	if !ok || a.Attempt != m.attempt.number || p.attempt != m.attempt.number || p.acks[i] != nil {
		return
	}
	p.acks[i] = &a
	p.missing--
	if err := m.check(p, &a); err != nil {
		m.abort(now, p.ID, byAck, fmt.Errorf("acknowledgement of subtask %s: %w", a.Subtask, err))
		return
	}
	p.parts = append(p.parts, part(now, &a))
	if p.state < Persisting {
		m.move(p, Persisting)
	}
	if p.missing == 0 {
		m.move(p, Committing)
	}
}

// check refuses an acknowledgement that does not hold exactly the subtask's operators:
// one that is left out would restore as empty. It also refuses one that names an object
// which neither this checkpoint uploaded nor its base holds: nothing would keep that
// object for it.
func (m *machine) check(p *pending, a *checkpoint.Ack) error {
	chain := m.attempt.chains[a.Subtask.Vertex]
	if !slices.EqualFunc(a.Operators, chain, func(o checkpoint.OperatorSnapshot, id checkpoint.OperatorID) bool {
		return o.Operator == id && o.Index == a.Subtask.Index
	}) {
		var names []string
		for _, o := range a.Operators {
			names = append(names, fmt.Sprintf("%s/%d", o.Operator, o.Index))
		}
		return fmt.Errorf("it holds operators %v, and the subtask consists of %v", names, chain)
	}
	for _, o := range a.Operators {
		h, err := handle(o)
		if err != nil {
			return err
		}
		if h == nil || !m.rules.on(baseNamed) {
			continue
		}
		for _, object := range h.Objects {
			if was, ok := p.base.objects[object.Name]; ok {
				if was.Size != object.Size || was.CRC32C != object.CRC32C {
					return fmt.Errorf("object %s has %d bytes and checksum %08x, but %d and %08x in checkpoint %d", object.Name, object.Size, object.CRC32C, was.Size, was.CRC32C, p.base.ID)
				}
				continue
			}
			if !uploadedFor(p.Ref, object.Name) {
				return fmt.Errorf("object %s belongs neither to checkpoint %d nor to its base %d", object.Name, p.ID, p.base.ID)
			}
		}
	}
	return nil
}

// handle returns the handle of an operator's keyed state, nil if it has none.
func handle(o checkpoint.OperatorSnapshot) (*incremental.Handle, error) {
	if o.Keyed == nil {
		return nil, nil
	}
	h, ok := o.Keyed.(*incremental.Handle)
	if !ok || h == nil {
		return nil, fmt.Errorf("operator %s/%d: keyed state is a %T, and only an incremental.Handle can be committed", o.Operator, o.Index, o.Keyed)
	}
	return h, nil
}

// uploadedFor reports whether a data object was uploaded for a checkpoint.
func uploadedFor(r Ref, object string) bool {
	// Most objects are of earlier checkpoints: few names are parsed.
	var b [48]byte
	prefix := append(strconv.AppendUint(append(strconv.AppendUint(b[:0], uint64(r.Epoch), 10), '-'), uint64(r.ID), 10), '-')
	base := object[strings.LastIndexByte(object, '/')+1:]
	if len(base) < len(prefix) || base[:len(prefix)] != string(prefix) {
		return false
	}
	n, ok := incremental.ParseObjectName(object)
	return ok && n.Epoch == r.Epoch && n.Checkpoint == r.ID
}

// ownObjects lists the objects in an acknowledgement that were uploaded for
// the checkpoint.
func ownObjects(r Ref, a *checkpoint.Ack) []string {
	var names []string
	for _, o := range a.Operators {
		if h, err := handle(o); err == nil && h != nil {
			for _, object := range h.Objects {
				if uploadedFor(r, object.Name) {
					names = append(names, object.Name)
				}
			}
		}
	}
	return names
}

// decline aborts a checkpoint that a subtask cannot take.
func (m *machine) decline(now time.Time, d checkpoint.Decline) {
	if m.phase != leads || d.Epoch != m.head.Epoch {
		return
	}
	if p, ok := m.find(d.Checkpoint); ok && d.Attempt == p.attempt && !m.commit.sent(p.ID) {
		why, reason := byDecline, fmt.Errorf("subtask %s declined (%v): %s", d.Subtask, d.Code, d.Text)
		switch d.Code {
		case checkpoint.DeclineDraining:
			why = byDrain
		case checkpoint.DeclineRefused:
			reason = checkpoint.Refused(reason)
		}
		m.abort(now, p.ID, why, reason)
	}
	if slices.Contains(m.aborts, d.Checkpoint) {
		m.discard(slices.DeleteFunc(slices.Clone(d.Objects), func(o string) bool { return !uploadedFor(d.Ref(), o) }))
	}
}
