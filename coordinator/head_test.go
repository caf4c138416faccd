package coordinator_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/engine/checkpoint"
)

func someHead() coordinator.Head {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	return coordinator.Head{
		Version: 9, Epoch: 3, NextID: 44, Writer: "n",
		Retained: []coordinator.Retained{
			{ID: 41, Epoch: 2, Base: 40, Kind: coordinator.Kind(checkpoint.Periodic), Triggered: at, Created: at, KeptBy: []string{"pin:release-3"}, FullBytes: 7, NewBytes: 3},
			{ID: 43, Epoch: 3, Base: 41, Kind: coordinator.Kind(checkpoint.Final), Triggered: at, Created: at, KeptBy: []string{"newest", "count"}},
		},
		Pins:   []coordinator.Pin{{Name: "release-3", Checkpoint: 41}},
		Claims: []coordinator.Claim{},
	}
}

func TestHeadRoundTrip(t *testing.T) {
	b, err := coordinator.EncodeHead(someHead())
	if err != nil {
		t.Fatal(err)
	}
	h, err := coordinator.DecodeHead(b)
	if err != nil || !reflect.DeepEqual(h, someHead()) {
		t.Fatalf("%+v, %v", h, err)
	}
}

// I10: any flipped bit and any truncation is refused, and so is everything
// that a newer program may mean.
func TestHeadRefusesWhatItDoesNotUnderstand(t *testing.T) {
	good, err := coordinator.EncodeHead(someHead())
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 1
		if h, err := coordinator.DecodeHead(b); err == nil && !reflect.DeepEqual(h, someHead()) {
			t.Fatalf("byte %d flipped: read as %+v", i, h)
		} else if err != nil && !errors.Is(err, coordinator.ErrHeadFormat) {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
		if _, err := coordinator.DecodeHead(good[:i]); !errors.Is(err, coordinator.ErrHeadFormat) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
	}
	newer := bytes.Replace(good, []byte("tidemark-head 1"), []byte("tidemark-head 2"), 1)
	if _, err := coordinator.DecodeHead(newer); !errors.Is(err, coordinator.ErrHeadFormat) || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("newer format: %v", err)
	}
}

func TestEncodeHeadRefusesWhatCannotBe(t *testing.T) {
	for name, change := range map[string]func(*coordinator.Head){
		"no version":       func(h *coordinator.Head) { h.Version = 0 },
		"ids fall":         func(h *coordinator.Head) { h.Retained[1].ID = 41 },
		"id not given out": func(h *coordinator.Head) { h.NextID = 43 },
		"epoch to come":    func(h *coordinator.Head) { h.Retained[1].Epoch = 4 },
		"pin on nothing":   func(h *coordinator.Head) { h.Pins[0].Checkpoint = 42 },
		"claim on nothing": func(h *coordinator.Head) { h.Claims = []coordinator.Claim{{Job: "k", Checkpoint: 1}} },
	} {
		h := someHead()
		change(&h)
		if _, err := coordinator.EncodeHead(h); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
}
