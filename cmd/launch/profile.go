package launch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
)

// CPUProfile is the name of the CPU profile in Config.Profiles.
const CPUProfile = "cpu.pprof"

// One of mutexFraction contentions is sampled, and on average one block in
// blockNanos of waiting: little enough not to show in the CPU profile.
const (
	mutexFraction = 100
	blockNanos    = 100_000
)

// record begins to profile the process, for a directory that is not empty. stop
// ends that and writes the profiles; the heap's is taken after a collection. A
// process has one recording at a time.
func record(dir string) (stop func() error, err error) {
	if dir == "" {
		return func() error { return nil }, nil
	}
	fail := func(err error) error { return fmt.Errorf("%w %s: %w", ErrProfiles, dir, err) }
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fail(err)
	}
	cpu, err := os.Create(filepath.Join(dir, CPUProfile))
	if err != nil {
		return nil, fail(err)
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, fail(errors.Join(err, cpu.Close()))
	}
	runtime.SetBlockProfileRate(blockNanos)
	mutexRate := runtime.SetMutexProfileFraction(mutexFraction)
	return func() error {
		pprof.StopCPUProfile()
		err := cpu.Close()
		runtime.GC()
		for _, name := range []string{"heap", "mutex", "block"} {
			err = errors.Join(err, writeProfile(filepath.Join(dir, name+".pprof"), name))
		}
		runtime.SetBlockProfileRate(0)
		runtime.SetMutexProfileFraction(mutexRate)
		if err != nil {
			return fail(err)
		}
		return nil
	}, nil
}

func writeProfile(path, name string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup(name).WriteTo(f, 0), f.Close())
}
