package profile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
)

// The names of the profiles in a directory.
const (
	CPU   = "cpu.pprof"
	Heap  = "heap.pprof"
	Mutex = "mutex.pprof"
	Block = "block.pprof"
)

// One of mutexFraction contentions is sampled, and on average one block in
// blockNanos of waiting: little enough not to be seen in the CPU profile.
const (
	mutexFraction = 100
	blockNanos    = 100_000
)

// Recording is a run being profiled. It belongs to one goroutine, and there is
// one in a process at a time.
type Recording struct {
	dir       string
	cpu       *os.File
	mutexRate int
}

// Start begins to record, for a directory that it makes if need be.
func Start(dir string) (*Recording, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("profile directory: %w", err)
	}
	f, err := os.Create(filepath.Join(dir, CPU))
	if err != nil {
		return nil, fmt.Errorf("CPU profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("CPU profile: %w", err), f.Close())
	}
	runtime.SetBlockProfileRate(blockNanos)
	return &Recording{dir, f, runtime.SetMutexProfileFraction(mutexFraction)}, nil
}

// Stop ends the recording and writes the profiles. The heap is as it is after a
// collection.
func (r *Recording) Stop() error {
	pprof.StopCPUProfile()
	err := r.cpu.Close()
	runtime.GC()
	for _, p := range []struct{ file, profile string }{{Heap, "heap"}, {Mutex, "mutex"}, {Block, "block"}} {
		err = errors.Join(err, write(filepath.Join(r.dir, p.file), p.profile))
	}
	runtime.SetBlockProfileRate(0)
	runtime.SetMutexProfileFraction(r.mutexRate)
	if err != nil {
		return fmt.Errorf("profiles in %s: %w", r.dir, err)
	}
	return nil
}

func write(path, name string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup(name).WriteTo(f, 0), f.Close())
}
