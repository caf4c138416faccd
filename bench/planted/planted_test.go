package planted

import (
	"flag"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	all     = flag.Bool("all", false, "run every patch of testdata/planted, and not a sample")
	mutants = flag.Int("mutants", 0, "so many mutants of the decision code are run")
	seed    = flag.Uint64("seed", 0, "of the samples; 0: a new one")
)

const (
	root    = "../.."
	sampled = 3 // patches in a sample
)

func random(t *testing.T) *rand.Rand {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", s)
	return rand.New(rand.NewPCG(s, 0))
}

func patches(t *testing.T) []Patch {
	names, err := filepath.Glob(root + "/testdata/planted/*.patch")
	if err != nil || len(names) == 0 {
		t.Fatal("no patches", err)
	}
	var ps []Patch
	for _, name := range names {
		p, err := ReadPatch(root, filepath.Join("testdata/planted", filepath.Base(name)))
		if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
	return ps
}

// Every patch fits the code.
func TestPatchesApply(t *testing.T) {
	for _, p := range patches(t) {
		if _, err := p.Apply(t.Context(), root, t.TempDir()); err != nil {
			t.Error(err)
		}
	}
}

// The test that a patch names fails with it: a sample of the fast ones, or with
// -all each.
func TestPlantedBugsAreCaught(t *testing.T) {
	ps := patches(t)
	switch {
	case testing.Short():
		t.Skip("builds and runs tests of other packages")
	case *all:
		// The same tests pass without the bugs.
		tests := map[string][]string{}
		for _, p := range ps {
			tests[p.Package] = append(tests[p.Package], p.Test)
		}
		for _, pkg := range slices.Sorted(maps.Keys(tests)) {
			slices.Sort(tests[pkg])
			for _, test := range slices.Compact(tests[pkg]) {
				run := Run{Package: pkg, Test: test, Timeout: 10 * time.Minute}
				if got, out, err := run.Go(t.Context(), root, nil); err != nil || got != Passed {
					t.Errorf("%s %s fails without a bug: %v\n%s", pkg, test, err, out)
				}
			}
		}
	default:
		ps = slices.DeleteFunc(ps, func(p Patch) bool { return p.Slow })
		random(t).Shuffle(len(ps), func(i, j int) { ps[i], ps[j] = ps[j], ps[i] })
		ps = ps[:min(sampled, len(ps))]
	}
	for _, p := range ps {
		t.Run(strings.TrimSuffix(filepath.Base(p.Path), ".patch"), func(t *testing.T) {
			o, err := p.Apply(t.Context(), root, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			run := Run{Package: p.Package, Test: p.Test, Timeout: 5 * time.Minute}
			got, out, err := run.Go(t.Context(), root, o)
			switch {
			case err != nil:
				t.Fatal(err)
			case got == NotBuilt:
				t.Errorf("does not build:\n%s", out)
			case got == Passed:
				t.Errorf("%s %s does not see it: %s", p.Package, p.Test, p.Property)
			}
		})
	}
}

// decisions lists the code that mutants are made of, and the package whose tests
// must see them.
var decisions = []struct{ files, tests string }{
	{"coordinator/*.go", "coordinator"},
	{"engine/deploy/*.go", "engine/deploy"},
	{"engine/state/*.go", "engine/state"},
	{"incremental/*.go", "incremental"},
	{"incremental/format/strict.go", "incremental"},
	{"rocks/table/*.go", "rocks/table"},
	{"upload/*.go", "upload"},
}

// Mutants of the decision code are caught by their package's tests. It prints
// the survivors that testdata/equivalent.txt does not explain.
func TestMutants(t *testing.T) {
	if *mutants == 0 {
		t.Skip("make mutants")
	}
	var ms []Mutant
	tests := map[string]string{} // by file
	for _, d := range decisions {
		files, err := filepath.Glob(filepath.Join(root, d.files))
		if err != nil || len(files) == 0 {
			t.Fatal(d.files, err)
		}
		for _, f := range files {
			f, _ = filepath.Rel(root, f)
			if strings.HasSuffix(f, "_test.go") || strings.HasSuffix(f, "_other.go") {
				continue
			}
			of, err := Mutants(root, f)
			if err != nil {
				t.Fatal(err)
			}
			ms, tests[f] = append(ms, of...), d.tests
		}
	}
	timeout := map[string]time.Duration{}
	for _, d := range decisions {
		if timeout[d.tests] == 0 {
			began := time.Now()
			if got, out, err := (Run{Package: d.tests, Short: true, Timeout: 10 * time.Minute}).Go(t.Context(), root, nil); err != nil || got != Passed {
				t.Fatalf("%s fails without a mutant: %v\n%s", d.tests, err, out)
			}
			timeout[d.tests] = time.Minute + 3*time.Since(began)
		}
	}
	random(t).Shuffle(len(ms), func(i, j int) { ms[i], ms[j] = ms[j], ms[i] })
	known := explained(t)
	var done, caught, explained, unbuilt int
	for _, m := range ms {
		if done == *mutants {
			break
		}
		o, err := m.Write(root, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		run := Run{Package: tests[m.File], Short: true, Timeout: timeout[tests[m.File]]}
		got, _, err := run.Go(t.Context(), root, o)
		if got == Passed && err == nil && !known[m.String()] {
			run.Short, run.Timeout = false, 20*time.Minute
			got, _, err = run.Go(t.Context(), root, o)
		}
		switch {
		case err != nil:
			t.Fatal(m, err)
		case got == NotBuilt:
			unbuilt++
			continue
		case got == Failed:
			caught++
			t.Logf("caught: line %d of %v", m.Line, m)
		case known[m.String()]:
			explained++
		default:
			t.Errorf("survives: line %d of %v", m.Line, m)
		}
		done++
	}
	t.Logf("of %d mutants, %d caught, %d explained, %d survive; %d more did not build", done, caught, explained, done-caught-explained, unbuilt)
}

// Every mutant that equivalent.txt explains is one of the code as it is.
func TestExplainedMutantsExist(t *testing.T) {
	for name := range explained(t) {
		file, _, _ := strings.Cut(name, ": ")
		all, err := Mutants(root, file)
		if err != nil || !slices.ContainsFunc(all, func(m Mutant) bool { return m.String() == name }) {
			t.Errorf("no mutant %q; %v", name, err)
		}
	}
}

// explained returns the mutants that change nothing that matters, as
// testdata/equivalent.txt says.
func explained(t *testing.T) map[string]bool {
	b, err := os.ReadFile("testdata/equivalent.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && !strings.HasPrefix(line, " ") {
			known[line] = true
		}
	}
	return known
}
