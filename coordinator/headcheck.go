package coordinator

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidemark/tidemark/coordinator/history"
	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/keygroup"
)

// Bounds of texts in head, in bytes.
const (
	maxHeadName   = 255 // names, ids, addresses
	maxHeadReason = 4 << 10
	maxHeadURL    = 4 << 10
)

// validate checks what every head holds to.
func (h Head) validate() error {
	if h.Version == 0 || h.Epoch == 0 || h.NextID == 0 {
		return fmt.Errorf("version %d, epoch %d and next_id %d must all be given", h.Version, h.Epoch, h.NextID)
	}
	if h.Parallelism < 0 || h.Parallelism > keygroup.MaxGroups {
		return fmt.Errorf("parallelism %d is not in [0, %d]", h.Parallelism, keygroup.MaxGroups)
	}
	return errors.Join(
		text("edit", h.Edit, 1, maxHeadName),
		text("job", h.Job, 1, maxHeadName),
		text("graph", h.Graph, 0, maxHeadName),
		text("writer", h.Writer, 1, maxHeadName),
		text("leader", h.Leader, 0, maxHeadName),
		h.validateRetained(),
		h.validateHolds(),
		h.validateSavepoints(),
		h.validateRest(),
	)
}

func (h Head) validateRetained() error {
	var last checkpoint.ID
	for _, r := range h.Retained {
		switch {
		case r.ID <= last:
			return fmt.Errorf("checkpoint %d is retained after checkpoint %d: ids must rise", r.ID, last)
		case r.ID >= h.NextID:
			return fmt.Errorf("checkpoint %d is retained, but next_id is %d", r.ID, h.NextID)
		case r.Epoch == 0 || r.Epoch > h.Epoch:
			return fmt.Errorf("checkpoint %d is of epoch %d, and head of epoch %d", r.ID, r.Epoch, h.Epoch)
		case r.Base >= r.ID:
			return fmt.Errorf("checkpoint %d is based on checkpoint %d", r.ID, r.Base)
		case r.FullBytes < 0 || r.NewBytes < 0 || r.ManifestBytes < 0:
			return fmt.Errorf("checkpoint %d has a negative size", r.ID)
		}
		last = r.ID
		where := fmt.Sprintf("checkpoint %d", r.ID)
		for _, why := range r.KeptBy {
			if err := text(where+": kept_by", why, 1, 2*maxHeadURL); err != nil {
				return err
			}
		}
		if err := errors.Join(utc(where+": triggered", r.Triggered), utc(where+": created", r.Created)); err != nil {
			return err
		}
	}
	return nil
}

// validateHolds checks what keeps a checkpoint beside the policy: each must be
// on a retained one.
func (h Head) validateHolds() error {
	retained := make(map[checkpoint.ID]bool, len(h.Retained))
	for _, r := range h.Retained {
		retained[r.ID] = true
	}
	pin := func(kind string, p Pin, last string) error {
		where := fmt.Sprintf("%s %.80q", kind, p.Name)
		switch {
		case p.Name <= last:
			return fmt.Errorf("%s: empty, doubled or out of order", where)
		case !retained[p.Checkpoint]:
			return fmt.Errorf("%s is on checkpoint %d, which is not retained", where, p.Checkpoint)
		case !p.Until.IsZero() && !p.Until.After(p.Made):
			return fmt.Errorf("%s ends at %v, and was made at %v", where, p.Until, p.Made)
		}
		return errors.Join(text(where, p.Name, 1, maxHeadName), text(where+": reason", p.Reason, 0, maxHeadReason), utc(where, p.Made), utc(where, p.Until))
	}
	last := ""
	for _, p := range h.Pins {
		if err := pin("pin", p, last); err != nil {
			return err
		}
		last = p.Name
	}
	last = ""
	for _, t := range h.Tags {
		if err := pin("tag", t, last); err != nil {
			return err
		}
		last = t.Name
	}
	for i, c := range h.Claims {
		where := fmt.Sprintf("claim of job %.80q", c.Job)
		switch {
		case !retained[c.Checkpoint]:
			return fmt.Errorf("%s is on checkpoint %d, which is not retained", where, c.Checkpoint)
		case i > 0 && compareClaims(h.Claims[i-1], c) >= 0:
			return fmt.Errorf("%s on checkpoint %d: doubled or out of order", where, c.Checkpoint)
		}
		if err := errors.Join(foreign(where, c.Store, c.Job, c.Mode, c.Made), text(where+": reason", c.Reason, 0, maxHeadReason)); err != nil {
			return err
		}
	}
	for i, b := range h.Borrows {
		where := fmt.Sprintf("borrowed checkpoint of job %.80q", b.Job)
		switch {
		case b.Checkpoint == 0 || b.Epoch == 0:
			return fmt.Errorf("%s: checkpoint %d of epoch %d: both start at 1", where, b.Checkpoint, b.Epoch)
		case i > 0 && compareBorrows(h.Borrows[i-1], b) >= 0:
			return fmt.Errorf("%s: checkpoint %d: doubled or out of order", where, b.Checkpoint)
		}
		if err := foreign(where, b.Store, b.Job, b.Mode, b.Made); err != nil {
			return err
		}
	}
	return nil
}

func compareClaims(a, b Claim) int {
	return cmp.Or(cmp.Compare(a.Store, b.Store), cmp.Compare(a.Job, b.Job), cmp.Compare(a.Checkpoint, b.Checkpoint))
}

func compareBorrows(a, b Borrow) int {
	return cmp.Or(cmp.Compare(a.Store, b.Store), cmp.Compare(a.Job, b.Job), cmp.Compare(a.Checkpoint, b.Checkpoint), cmp.Compare(a.Epoch, b.Epoch))
}

// foreign checks what names another job.
func foreign(where, store, job string, mode ClaimMode, made time.Time) error {
	if mode != ClaimShare && mode != ClaimOwn {
		return fmt.Errorf("%s: unknown mode %.80q", where, mode)
	}
	return errors.Join(text(where+": store", store, 0, maxHeadURL), text(where, job, 1, maxHeadName), utc(where, made))
}

func (h Head) validateSavepoints() error {
	last := ""
	for _, s := range h.Savepoints {
		where := fmt.Sprintf("savepoint %.80q", s.Name)
		switch {
		case s.Name <= last:
			return fmt.Errorf("%s: empty, doubled or out of order", where)
		case s.Format != NativeSavepoint && s.Format != PortableSavepoint:
			return fmt.Errorf("%s: unknown format %.80q", where, s.Format)
		case s.Checkpoint == 0 || s.Checkpoint >= h.NextID || s.Epoch == 0 || s.Epoch > h.Epoch:
			return fmt.Errorf("%s: checkpoint %d of epoch %d, and head has next_id %d and epoch %d", where, s.Checkpoint, s.Epoch, h.NextID, h.Epoch)
		case s.Bytes < 0:
			return fmt.Errorf("%s: %d bytes", where, s.Bytes)
		}
		if err := errors.Join(text(where, s.Name, 1, maxHeadName), text(where+": place", s.Place, 1, maxHeadURL), text(where+": reason", s.Reason, 0, maxHeadReason), utc(where, s.Made)); err != nil {
			return err
		}
		last = s.Name
	}
	return nil
}

// validateRest checks what head holds at most one of.
func (h Head) validateRest() error {
	var errs []error
	if s := h.Stopped; s != nil {
		if s.Checkpoint >= h.NextID {
			errs = append(errs, fmt.Errorf("stopped at checkpoint %d, but next_id is %d", s.Checkpoint, h.NextID))
		}
		errs = append(errs, text("stopped: savepoint", s.Savepoint, 0, maxHeadName), text("stopped: reason", s.Reason, 0, maxHeadReason), utc("stopped", s.Made))
	}
	if r := h.Restore; r != nil {
		if r.Epoch == 0 || r.Epoch > h.Epoch {
			errs = append(errs, fmt.Errorf("restore was applied in epoch %d, and head is of epoch %d", r.Epoch, h.Epoch))
		}
		errs = append(errs, text("restore: request", r.Request, 1, maxHeadURL), utc("restore", r.Made))
	}
	if p := h.Policy; p != nil {
		errs = append(errs, p.validate())
	}
	if o := h.History; o != nil {
		if !strings.HasPrefix(o.Name, history.Prefix) || o.Bytes < 0 {
			errs = append(errs, fmt.Errorf("history: %.80q of %d bytes is not an object below %s", o.Name, o.Bytes, history.Prefix))
		}
		errs = append(errs, text("history", o.Name, 1, maxHeadName))
	}
	return errors.Join(errs...)
}

// text checks a string's length in bytes, and that JSON does not change it.
func text(where, s string, least, most int) error {
	if len(s) < least || len(s) > most || !utf8.ValidString(s) {
		return fmt.Errorf("%s: %.80q is not UTF-8 text of %d to %d bytes", where, s, least, most)
	}
	return nil
}

// utc checks that a time has one spelling.
func utc(where string, t time.Time) error {
	if t.Location() != time.UTC {
		return fmt.Errorf("%s: %v is not in UTC", where, t)
	}
	return nil
}
