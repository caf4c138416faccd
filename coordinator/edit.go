package coordinator

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/internal/nearest"
	"github.com/tidemark/tidemark/upload"
)

// Errors of edits.
var (
	// ErrHeadBusy: head could not be edited, since others write it all the time, or the
	// store does not answer.
	ErrHeadBusy = errors.New("head could not be edited")
	// ErrNoSuchHold: there is no pin or tag of that name.
	ErrNoSuchHold = errors.New("there is none of that name")
	// ErrHoldExists: the name belongs to another checkpoint or purpose.
	ErrHoldExists = errors.New("the name is in use")
	// ErrHeld: the checkpoint is kept for somebody by name, or is the newest.
	ErrHeld = errors.New("the checkpoint is needed")
)

// gone marks an error that says that what is to be removed is not there.
type gone struct{ error }

func (g gone) Unwrap() error { return g.error }

// Edit is a change of head that needs no lead: a decision without I/O. It changes
// nothing of h that is shared, and fails where head must stay as it is.
type Edit func(h *Head, now time.Time) error

// AddPin keeps a checkpoint until p.Until, or until RemovePin. An equal pin changes
// nothing.
func AddPin(p Pin) Edit {
	return func(h *Head, now time.Time) error {
		return addHold(h, &h.Pins, "pin", p, now)
	}
}

// RemovePin takes a pin away. Retention decides about its checkpoint at the next commit.
func RemovePin(name string) Edit {
	return func(h *Head, _ time.Time) error { return removeHold(&h.Pins, "pin", name) }
}

// AddTag names a checkpoint, and keeps it as a pin does.
func AddTag(t Tag) Edit {
	return func(h *Head, now time.Time) error {
		return addHold(h, &h.Tags, "tag", t, now)
	}
}

// RemoveTag takes a tag away, as RemovePin does with a pin.
func RemoveTag(name string) Edit {
	return func(h *Head, _ time.Time) error { return removeHold(&h.Tags, "tag", name) }
}

func addHold(h *Head, all *[]Pin, kind string, p Pin, now time.Time) error {
	if _, ok := h.find(p.Checkpoint); !ok {
		return fmt.Errorf("%s %q: checkpoint %d: %w: retained checkpoints: %s", kind, p.Name, p.Checkpoint, ErrNotRetained, h.ids())
	}
	if p.ended(now) {
		return fmt.Errorf("%s %q: its end, %s, has passed", kind, p.Name, p.Until.Format(time.RFC3339))
	}
	p.Made = now
	i, found := slices.BinarySearchFunc(*all, p, func(a, b Pin) int { return strings.Compare(a.Name, b.Name) })
	if found {
		if have := (*all)[i]; have.Checkpoint != p.Checkpoint || have.Reason != p.Reason || !have.Until.Equal(p.Until) {
			return fmt.Errorf("%s %q keeps checkpoint %d (%.200q): %w: remove it first", kind, p.Name, have.Checkpoint, have.Reason, ErrHoldExists)
		}
		return nil
	}
	*all = slices.Insert(slices.Clone(*all), i, p)
	return nil
}

func removeHold(all *[]Pin, kind, name string) error {
	i := slices.IndexFunc(*all, func(p Pin) bool { return p.Name == name })
	if i < 0 {
		var names []string
		for _, p := range *all {
			names = append(names, p.Name)
		}
		return gone{fmt.Errorf("%s %q: %w: %s", kind, name, ErrNoSuchHold, nearest.Hint(name, names))}
	}
	*all = slices.Delete(slices.Clone(*all), i, i+1)
	return nil
}

// Remove drops a checkpoint, whatever the policy says. The newest, and what has a pin, a
// tag or a claim, is not dropped.
func Remove(id checkpoint.ID) Edit {
	return func(h *Head, _ time.Time) error {
		c, ok := h.find(id)
		if !ok {
			return gone{fmt.Errorf("checkpoint %d: %w: retained checkpoints: %s", id, ErrNotRetained, h.ids())}
		}
		if by := h.heldBy(id); len(by) > 0 {
			return fmt.Errorf("checkpoint %d is kept by %s: %w: take that away first", id, strings.Join(by, ", "), ErrHeld)
		}
		if id == h.Retained[len(h.Retained)-1].ID {
			return fmt.Errorf("checkpoint %d is the newest, which the job resumes from: %w", id, ErrHeld)
		}
		h.Retained = slices.DeleteFunc(slices.Clone(h.Retained), func(r Retained) bool { return r.Ref() == c.Ref() })
		return nil
	}
}

// SetPolicy changes the retention of the job and applies it.
func SetPolicy(p RetentionPolicy) Edit {
	p = p.withDefaults()
	return func(h *Head, now time.Time) error {
		if err := p.supported(); err != nil {
			return err
		}
		h.Policy = &p
		return ApplyPolicy(h, now)
	}
}

// ApplyPolicy drops what the job's retention does not keep now.
func ApplyPolicy(h *Head, now time.Time) error {
	h.Retained = h.retain(now)
	return nil
}

// retain returns what the head's retention keeps of what it retains.
func (h Head) retain(now time.Time) []Retained {
	policy := RetentionPolicy{}.withDefaults()
	if h.Policy != nil {
		policy = *h.Policy
	}
	return retain(h.Retained, now, policy, holds{tags: h.Tags, pins: h.Pins, claims: h.Claims})
}

// untilCommit is why a checkpoint is still there that no reason keeps any more.
const untilCommit = "the next commit drops it"

// Edited is what an edit made of head.
type Edited struct {
	After   Head
	Dropped []Ref // are retained no more; the leader, or a Sweep, deletes what only they reached
}

// maxEditTries bounds how often an edit is planned again on a newer head.
const maxEditTries = 16

// PlanEdit says what an edit would make of head now. It changes nothing.
func PlanEdit(ctx context.Context, r upload.Reader, change Edit) (Edited, error) {
	h, _, err := ReadHead(ctx, r)
	if err != nil {
		return Edited{}, err
	}
	return planned(h, change, time.Now())
}

func planned(h Head, change Edit, now time.Time) (Edited, error) {
	next := h
	now = now.UTC()
	if err := change(&next, now); err != nil {
		return Edited{}, fmt.Errorf("edit head: %w", err)
	}
	kept := Head{Retained: next.retain(now)}
	next.Retained = slices.Clone(next.Retained)
	for i, r := range next.Retained {
		next.Retained[i].KeptBy = []string{untilCommit}
		if k, ok := kept.find(r.ID); ok {
			next.Retained[i].KeptBy = k.KeptBy
		}
	}
	return Edited{next, dropped(h.Retained, next.Retained)}, nil
}

// EditHead changes head by compare-and-swap, beside a leader or without one. A leader
// loses no checkpoint by it: it plans its commit anew on the edited head. If an answer of
// the store is lost, EditHead finds out; ErrHeadBusy says that it could not, and then the
// edit may have been applied: it is safe to make it again.
func EditHead(ctx context.Context, store upload.Store, change Edit) (Edited, error) {
	nonce := rand.Text()
	var sent []Edited // with an unknown outcome
	var last error
	for try := range maxEditTries {
		if try > 0 {
			select {
			case <-time.After(backoff(try - 1)):
			case <-ctx.Done():
				return Edited{}, fmt.Errorf("edit head: %w", context.Cause(ctx))
			}
		}
		h, etag, err := ReadHead(ctx, store)
		if err != nil {
			if permanent(err) || errors.Is(err, upload.ErrNotExist) || errors.Is(err, ErrHeadFormat) {
				return Edited{}, err
			}
			last = err
			continue
		}
		for _, e := range sent {
			if h.Edit == e.After.Edit {
				return e, nil
			}
		}
		e, err := planned(h, change, time.Now())
		if _, ok := errors.AsType[gone](err); ok && len(sent) > 0 {
			return sent[len(sent)-1], nil // by an earlier try, and the leader went on from it
		}
		if err != nil {
			return Edited{}, err
		}
		e.After.Version, e.After.Edit = h.Version+1, fmt.Sprintf("%s-%d", nonce, try)
		b, err := EncodeHead(e.After)
		if err != nil {
			return Edited{}, fmt.Errorf("edit head: %w", err)
		}
		_, err = store.Put(ctx, incremental.HeadName, upload.BodyFromBytes(b), upload.PutOptions{IfMatch: etag})
		switch {
		case err == nil:
			return e, nil
		case errors.Is(err, upload.ErrPrecondition): // somebody else wrote head
		case permanent(err):
			return Edited{}, fmt.Errorf("edit head: %w", err)
		default:
			sent = append(sent, e)
		}
		last = err
	}
	return Edited{}, fmt.Errorf("%w in %d tries: %w", ErrHeadBusy, maxEditTries, last)
}
