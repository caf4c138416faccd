package tidemarkcmd_test

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/coordinator"
	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
)

// mistake is a command line that cannot be carried out.
type mistake struct {
	name string
	// with makes what is wrong, in a place where the job was stopped on its way,
	// and returns the command line.
	with func(t *testing.T, p place) []string
	code int
	// says is what standard error must hold: what, where, and what to do.
	says []string
	// leads: leading comes before what finds the mistake. Nothing is lost by
	// it, since an epoch keeps what it finds.
	leads bool
	job   string // that runs; count if empty
	// publishes: what the newest checkpoint committed is published before what
	// finds the mistake, as it should be in any case.
	publishes bool
}

// withoutPending is a tree without output that is not published, and without
// such as was then.
func withoutPending(all, before map[string]string) map[string]string {
	was := map[string]bool{}
	for name, content := range before {
		if strings.Contains(name, "/.pending/") {
			was[content] = true
		}
	}
	rest := map[string]string{}
	for name, content := range all {
		if _, old := before[name]; strings.Contains(name, "/.pending/") || !old && was[content] {
			continue
		}
		rest[name] = content
	}
	return rest
}

// file returns where a file of the newest checkpoint lies: the path of its
// object, and its place in that. Other bytes of the object may be of no use to
// anybody.
func file(t *testing.T, p place) (path string, ref incremental.FileRef) {
	t.Helper()
	for _, s := range newestManifest(t, p).Subtasks {
		if s.Keyed == nil {
			continue
		}
		for _, f := range s.Keyed.Files {
			if strings.HasSuffix(f.Name, ".sst") {
				return filepath.Join(p.root(), "count", f.Ref.Object), f.Ref
			}
		}
	}
	t.Fatal("a checkpoint without a table file")
	return "", incremental.FileRef{}
}

func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(b), 0o644); err != nil {
		t.Fatal(err)
	}
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[(at+len(b))%len(b)] ^= 0x40
		return b
	}
}

// I10: what is wrong is named with its place and what to do, and nothing is
// lost, deleted or written for it.
func TestMistakesChangeNothing(t *testing.T) {
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			p := begun(t)
			args := m.with(t, p)
			before := tree(t, p.root(), p.output())
			r := tidemark(t, args...)
			if r.code != m.code {
				t.Errorf("exit code %d, want %d", r.code, m.code)
			}
			for _, text := range m.says {
				if !strings.Contains(r.stderr, strings.ReplaceAll(text, "DIR", p.dir)) {
					t.Errorf("it does not say %q", text)
				}
			}
			after := tree(t, p.root(), p.output())
			head := filepath.Join(p.root(), cmp.Or(m.job, "count"), "head")
			if m.leads && ledOnly(t, before[head], after[head]) {
				delete(after, head)
				delete(before, head)
			}
			if m.publishes {
				before, after = withoutPending(before, before), withoutPending(after, before)
			}
			if d := differences(before, after); len(d) > 0 {
				t.Errorf("something changed: %q", d)
			}
			if t.Failed() || testing.Verbose() {
				t.Log(r)
			}
		})
	}
}

var mistakes = []mistake{
	{
		name: "unknown job",
		with: func(_ *testing.T, p place) []string {
			return slices.Concat([]string{"run", "no-such-job"}, p.where())
		},
		code: 2, says: []string{`no job "no-such-job": use "wordcount", "flights", `},
	},
	{
		name: "mistyped job",
		with: func(_ *testing.T, p place) []string {
			return slices.Concat([]string{"run", "cuont"}, p.where())
		},
		code: 2, says: []string{`no job "cuont": did you mean "count"?`},
	},
	{
		name: "unknown flag",
		with: func(_ *testing.T, p place) []string { return p.run("--intervall", "1s") },
		code: 2, says: []string{`unknown flag: --intervall: did you mean "--interval"?`},
	},
	{
		name: "bad size",
		with: func(_ *testing.T, p place) []string { return p.run("--table-memory", "lots") },
		code: 2, says: []string{"--table-memory", `"lots" is not a size`, "512MiB"},
	},
	{
		name: "bad kind of disk",
		with: func(_ *testing.T, p place) []string { return p.run("--disk", "floppy") },
		code: 2, says: []string{"--disk", `"floppy"`, "ssd, hdd or network"},
	},
	{
		name: "unknown option of RocksDB",
		with: func(_ *testing.T, p place) []string { return p.run("--rocksdb-options", "max_subcompaction=2") },
		code: 2, says: []string{"--rocksdb-options", "max_subcompaction"},
	},
	{
		name: "bad URL",
		with: func(_ *testing.T, p place) []string { return p.run("--checkpoint-store", "ftp://host/x") },
		code: 1, says: []string{`"ftp://host/x"`, `unknown scheme "ftp"`, "file://, s3://"},
	},
	{
		name: "bad restore",
		with: func(_ *testing.T, p place) []string { return p.run("--restore", "newest") },
		code: 2, says: []string{"--restore", `"newest"`, "latest, none, or the id"},
	},
	{
		name: "more subtasks than key groups",
		with: func(_ *testing.T, p place) []string { return p.run("--parallelism", "129") },
		code: 1, says: []string{"Parallelism 129", "max parallelism 128"}, leads: true,
	},
	{
		name: "restore of an unknown id",
		with: func(_ *testing.T, p place) []string { return p.run("--restore", "4711") },
		code: 1, says: []string{"checkpoint 4711", "not retained", "retained checkpoints: "}, leads: true,
	},
	{
		name: "bad state to drop",
		with: func(_ *testing.T, p place) []string { return p.run("--drop-state", "out/") },
		code: 2, says: []string{"--drop-state", `"out/"`, "<operator>/<state>"},
	},
	{
		name: "input of a job that reads none",
		with: func(_ *testing.T, p place) []string { return p.run("--input", "x") },
		code: 2, says: []string{"reads no input", `"x"`},
	},
	{
		name: "missing input",
		with: func(_ *testing.T, p place) []string {
			return slices.Concat([]string{"run", "flights", "--input", filepath.Join(p.dir, "none.jsonl")}, p.where())
		},
		code: 1, says: []string{"DIR/none.jsonl", "input"}, job: "flights", leads: true,
	},
	{
		name: "store below a file",
		with: func(t *testing.T, p place) []string {
			blocked := filepath.Join(p.dir, "file")
			if err := os.WriteFile(blocked, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			return p.run("--checkpoint-store", "file://"+blocked+"/checkpoints")
		},
		code: 1, says: []string{"checkpoint store file://DIR/file/checkpoints", "not a directory", "what to do"},
	},
	{
		name: "output below a file",
		with: func(t *testing.T, p place) []string {
			blocked := filepath.Join(p.dir, "file")
			if err := os.WriteFile(blocked, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			return p.run("--output", blocked+"/out")
		},
		code: 1, says: []string{"DIR/file", "not a directory", "choose one that can be written to"}, leads: true,
	},
	{
		name: "local state below a file",
		with: func(t *testing.T, p place) []string {
			blocked := filepath.Join(p.dir, "file")
			if err := os.WriteFile(blocked, nil, 0o644); err != nil {
				t.Fatal(err)
			}
			return p.run("--state-dir", blocked+"/state")
		},
		code: 1, says: []string{"DIR/file/state", "not a directory", "--state-dir"}, leads: true,
	},
	{
		name: "store on a file system that cannot be written",
		with: func(t *testing.T, p place) []string {
			immutable(t, p.root())
			immutable(t, filepath.Join(p.root(), "count"))
			return p.run()
		},
		code: 1, says: []string{"DIR/checkpoints", "what to do"},
	},
	{
		name: "corrupt head",
		with: func(t *testing.T, p place) []string {
			edit(t, filepath.Join(p.root(), "count", "head"), flip(-20))
			return p.run()
		},
		code: 1, says: []string{"head", "checksum", "nothing was changed or deleted", "Put back an intact copy"},
	},
	{
		name: "missing head",
		with: func(t *testing.T, p place) []string {
			if err := os.Remove(filepath.Join(p.root(), "count", "head")); err != nil {
				t.Fatal(err)
			}
			return p.run()
		},
		code: 1, says: []string{"head is missing", "nothing was created or deleted", "put back head"},
	},
	{
		name: "head of a later version",
		with: func(t *testing.T, p place) []string {
			replace(t, p, "head", func(b []byte) []byte {
				return []byte(strings.Replace(string(b), "tidemark-head 2 ", "tidemark-head 9 ", 1))
			})
			return p.run()
		},
		code: 1, says: []string{"format is 9", "reads 2 only", "use the newer program"},
	},
	{
		name: "corrupt manifest",
		with: func(t *testing.T, p place) []string {
			edit(t, manifestPath(t, p), flip(-30))
			return p.run()
		},
		code: 1, says: []string{"manifests/", "corrupt", "nothing was deleted", "retained checkpoints to choose from", "--restore <id>"}, leads: true,
	},
	{
		name: "manifest of a later version",
		with: func(t *testing.T, p place) []string {
			_, info := newestInfo(t, p)
			replace(t, p, info.Manifest, laterVersion)
			return p.run()
		},
		code: 1, says: []string{"manifests/", "newer than this program", "Use the version of tidemark that wrote it"}, leads: true,
	},
	{
		name: "state of a newer RocksDB",
		with: func(t *testing.T, p place) []string {
			_, info := newestInfo(t, p)
			replace(t, p, info.Manifest, func(b []byte) []byte {
				m, err := incremental.DecodeManifest(b)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range m.Subtasks {
					if s.Keyed != nil {
						s.Keyed.Backend.Version = "99.1.0"
					}
				}
				if b, err = incremental.EncodeManifest(m); err != nil {
					t.Fatal(err)
				}
				return b
			})
			return p.run()
		},
		code: 1, says: []string{"written by rocksdb 99.1.0", "build it with rocksdb 99.1 or newer", "nothing was changed", "--restore <id>"},
	},
	{
		name: "missing manifest",
		with: func(t *testing.T, p place) []string {
			if err := os.Remove(manifestPath(t, p)); err != nil {
				t.Fatal(err)
			}
			return p.run()
		},
		code: 1, says: []string{"manifests/", "does not exist", "retained checkpoints to choose from", "what to do"}, leads: true,
	},
	{
		name: "flipped data object",
		with: func(t *testing.T, p place) []string {
			path, ref := file(t, p)
			edit(t, path, flip(int(ref.Offset)+10))
			return p.run()
		},
		code: 1, says: []string{"corrupt state", "data/", "CRC32C", "nothing was deleted", "--restore <id>"}, leads: true, publishes: true,
	},
	{
		name: "truncated data object",
		with: func(t *testing.T, p place) []string {
			path, ref := file(t, p)
			edit(t, path, func(b []byte) []byte { return b[:ref.Offset+ref.Length/2] })
			return p.run()
		},
		code: 1, says: []string{"corrupt state", "data/", "nothing was deleted", "--restore <id>"}, leads: true, publishes: true,
	},
	{
		name: "missing data object",
		with: func(t *testing.T, p place) []string {
			path, _ := file(t, p)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			return p.run()
		},
		code: 1, says: []string{"corrupt state", "data/", "does not exist", "nothing was deleted", "--restore <id>"}, leads: true, publishes: true,
	},
	{
		name: "another job under the id",
		with: func(_ *testing.T, p place) []string {
			return slices.Concat([]string{"run", "q18", "--events", "1000", "--job-id", "count"}, p.where())
		},
		code: 1, says: []string{"does not fit", "nothing was changed", "--job-id"}, leads: true,
	},
	{
		name: "output of another run",
		with: func(_ *testing.T, p place) []string { return p.run("--restore", "none") },
		code: 1, says: []string{"parts of another run", "DIR/out", "starts from nothing", "choose another"}, leads: true,
	},
	{
		name: "a place for checkpoints that is no job's",
		with: func(_ *testing.T, p place) []string { return []string{"checkpoints", "ls", p.url()} },
		code: 1, says: []string{"DIR/checkpoints", "there is no job here", "<store>/<job-id>"},
	},
	{
		name: "show of an unknown id",
		with: func(_ *testing.T, p place) []string {
			return []string{"checkpoints", "show", p.url() + "/count", "4711"}
		},
		code: 1, says: []string{"checkpoint 4711 is not retained", "retained checkpoints: "},
	},
}

// laterVersion makes a manifest one of version 99.
func laterVersion(b []byte) []byte {
	const lastByteOfVersion = 11 // see incremental/FORMAT.md
	b[lastByteOfVersion] = 99
	return b
}

// replace puts an object of the job count that another program may have
// written, unlike edit, which damages the file that is there.
func replace(t *testing.T, p place, name string, change func([]byte) []byte) {
	t.Helper()
	s, err := open(t.Context(), p, "count")
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := upload.ReadAll(t.Context(), s, name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), name, upload.BodyFromBytes(change(b)), upload.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

// newestInfo describes the newest checkpoint of the job count.
func newestInfo(t *testing.T, p place) (upload.Store, coordinator.CheckpointInfo) {
	t.Helper()
	s, err := open(t.Context(), p, "count")
	if err != nil {
		t.Fatal(err)
	}
	infos, err := coordinator.List(t.Context(), s)
	if err != nil || len(infos) == 0 {
		t.Fatalf("checkpoints: %v, %v", infos, err)
	}
	return s, infos[len(infos)-1]
}

func newestManifest(t *testing.T, p place) *incremental.Manifest {
	t.Helper()
	s, info := newestInfo(t, p)
	m, err := incremental.ReadManifest(t.Context(), s, info.ID, info.Epoch)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func manifestPath(t *testing.T, p place) string {
	t.Helper()
	_, info := newestInfo(t, p)
	return filepath.Join(p.root(), "count", info.Manifest)
}

// immutable makes a directory one that even root cannot write to, for the time
// of the test, or skips the test.
func immutable(t *testing.T, dir string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "chattr", "+i", dir).CombinedOutput(); err != nil {
		t.Skipf("no directory can be made immutable here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("chattr", "-i", dir).CombinedOutput(); err != nil {
			t.Errorf("chattr -i %s: %v: %s", dir, err, out)
		}
	})
}
