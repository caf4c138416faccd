package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func statusIn(err error) int {
	f, _ := errors.AsType[failure](err)
	return f.status
}

// What is remembered of triggers, and how many are under way, is bounded; those under way
// are never forgotten.
func TestTriggersAreBounded(t *testing.T) { // I12, I6
	synctest.Test(t, func(t *testing.T) {
		all := newTriggers()
		slow := func(ctx context.Context, _ string) (uint64, error) {
			<-ctx.Done()
			return 0, context.Cause(ctx)
		}
		for i := range maxRunning - 1 {
			if _, err := all.begin(fmt.Sprint("slow-", i), false, slow); err != nil {
				t.Fatal(err)
			}
		}
		runs := 0
		for i := range 3 * maxTriggers {
			id, err := all.begin("", false, func(context.Context, string) (uint64, error) { runs++; return uint64(runs), nil })
			synctest.Wait()
			if x, lookErr := all.look(id, false); err != nil || lookErr != nil || !x.done || x.checkpoint != uint64(i+1) {
				t.Fatalf("%s: %+v, %v, %v", id, x, err, lookErr)
			}
		}
		if len(all.all) != maxTriggers || len(all.order) != maxTriggers {
			t.Errorf("%d are remembered", len(all.all))
		}
		if _, err := all.look("slow-0", false); err != nil {
			t.Errorf("one under way: %v", err)
		}
		if _, err := all.begin("slow-0", true, slow); statusIn(err) != http.StatusConflict {
			t.Errorf("an id for something else: %v", err)
		}
		if _, err := all.begin("last", false, slow); err != nil {
			t.Fatal(err)
		}
		if _, err := all.begin("too-many", false, slow); statusIn(err) != http.StatusServiceUnavailable {
			t.Errorf("one too many: %v", err)
		}
		all.close(t.Context())
	})
}

// The end of the job waits for a stop, and then a while for whoever asks what became of it.
func TestWhoeverStoppedLearnsOfIt(t *testing.T) {
	for name, c := range map[string]struct {
		asks  bool
		takes time.Duration
	}{"asked": {true, time.Second}, "nobody asks": {false, time.Second + lastLook}} {
		synctest.Test(t, func(t *testing.T) {
			all := newTriggers()
			begun := time.Now()
			id, err := all.begin("", true, func(ctx context.Context, _ string) (uint64, error) {
				time.Sleep(time.Second)
				return 7, ctx.Err()
			})
			if err != nil {
				t.Fatal(err)
			}
			var asking sync.WaitGroup
			defer asking.Wait()
			if c.asks {
				asking.Go(func() {
					for x := (trigger{}); !x.done; time.Sleep(time.Millisecond) {
						x, _ = all.look(id, true)
					}
				})
			}
			all.close(t.Context())
			if x, err := all.look(id, true); err != nil || x.err != nil || x.checkpoint != 7 {
				t.Errorf("%s: %+v, %v", name, x, err)
			}
			if took := time.Since(begun).Round(100 * time.Millisecond); took != c.takes {
				t.Errorf("%s: the end took %v, want %v", name, took, c.takes)
			}
		})
	}
}

// Any scope but state is a part of the next greater one.
func TestScopesInclude(t *testing.T) {
	want := map[Scope][]bool{ // read, operate, admin, state
		Read: {true, false, false, false}, Operate: {true, true, false, false}, Admin: {true, true, true, false}, State: {false, false, false, true},
	}
	for has, may := range want {
		for i, needs := range scopes {
			if has.includes(needs) != may[i] {
				t.Errorf("%s includes %s: %v", has, needs, !may[i])
			}
		}
	}
}
