package rocks

// #cgo CXXFLAGS: -std=c++20 -O2 -fvisibility=hidden -fno-rtti
// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"sync"

	"github.com/linxGnu/grocksdb"

	"github.com/tidemark/tidemark/rocks/table"
)

// Resources are what all databases of a process share. Any goroutine may use
// them. Close them after the last database.
type Resources struct {
	options Options

	mu        sync.Mutex
	databases int // open, or being opened
	open      map[*DB]struct{}
	closed    bool
	cache     *grocksdb.Cache
	tables    *table.Budget
	budget    *C.tm_budget
}

// NewResources allocates resources for the options. They must be closed.
func NewResources(o Options) (*Resources, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.WithDefaults()
	tables, err := table.NewBudget(o.TableBytes)
	if err != nil {
		return nil, err
	}
	C.tm_bound_malloc()
	cache := newCache(o.MemoryBytes)
	return &Resources{options: o, open: map[*DB]struct{}{}, tables: tables, cache: cache, budget: C.tm_budget_new(C.size_t(o.WriteBufferBytes), cCache(cache))}, nil
}

// newCache returns a cache of blocks with memory of its own.
func newCache(bytes int64) *grocksdb.Cache {
	o := grocksdb.NewLRUCacheOptions()
	defer o.Destroy()
	o.SetCapacity(uint(bytes))
	C.tm_use_blocks(cCacheOptions(o), C.size_t(bytes))
	return grocksdb.NewLRUCacheWithOptions(o)
}

// Options returns the options with their defaults filled in.
func (r *Resources) Options() Options { return r.options }

// Close frees the resources. It fails while a database is open.
func (r *Resources) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fmt.Errorf("close rocks resources: %w", ErrClosed)
	}
	if r.databases > 0 {
		return fmt.Errorf("close rocks resources: %d databases are open: %w", r.databases, ErrBusy)
	}
	r.closed = true
	C.tm_budget_free(r.budget)
	r.cache.Destroy()
	return r.tables.Close()
}

// acquire counts a database in.
func (r *Resources) acquire() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errors.New("its resources are closed")
	}
	r.databases++
	return nil
}

func (r *Resources) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.databases--
}

// opened has the database counted in Metrics, until forget.
func (r *Resources) opened(d *DB) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[d] = struct{}{}
}

func (r *Resources) forget(d *DB) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, d)
}
