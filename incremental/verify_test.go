package incremental_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tidemark/tidemark/incremental"
	"github.com/tidemark/tidemark/upload"
	"github.com/tidemark/tidemark/upload/faultstore"
	"github.com/tidemark/tidemark/upload/memstore"
)

// I1: every kind of damage to every object is found and named, and nothing else.
func TestVerifyNamesTheDamage(t *testing.T) {
	for kind, damage := range damages {
		s, h, _ := written(t)
		m := manifestOf(h)
		o := h.Objects[1]
		check(t, damage(s, o.Name))
		var last incremental.VerifyProgress
		calls := 0
		r, err := incremental.Verify(t.Context(), s, m, incremental.VerifyOptions{Parallel: 2, Progress: func(p incremental.VerifyProgress) {
			calls++
			last = p
		}})
		check(t, err)
		if r.OK() || len(r.Damaged) != 1 || r.Damaged[0].Object != o.Name || r.Objects != len(h.Objects) {
			t.Fatalf("%s: %+v", kind, r)
		}
		d := r.Damaged[0]
		if !errors.Is(d.Err, incremental.ErrCorruptState) || len(d.Files) == 0 || !strings.HasPrefix(d.Files[0], "op/0 ") {
			t.Errorf("%s: %+v", kind, d)
		}
		if errors.Is(d.Err, upload.ErrNotExist) != (kind == "missing") {
			t.Errorf("%s: %v", kind, d.Err)
		}
		if calls != len(h.Objects) || last.Objects != last.TotalObjects || last.TotalObjects != calls || last.Bytes > last.TotalBytes+50_000 {
			t.Errorf("%s: %d calls, the last %+v", kind, calls, last)
		}
	}
}

// Bytes that were changed on their way are read again, and the store's own checksum counts
// for nothing beside the manifest's.
func TestVerifyReadsTwice(t *testing.T) { // I1, I10
	inner, h, _ := written(t)
	for what, i := range map[string]faultstore.Injector{
		"changed on the way":                       faultstore.Times(len(h.Objects), faultstore.When(faultstore.OfKind(faultstore.Get), faultstore.Fault{Flip: true, FlipAt: 7})),
		"refused by a wrong checksum of the store": faultstore.When(faultstore.OfKind(faultstore.Get), faultstore.Fault{Before: upload.ErrCorrupt}),
	} {
		r, err := incremental.Verify(t.Context(), faultstore.Wrap(inner, i), manifestOf(h), incremental.VerifyOptions{})
		if err != nil || !r.OK() || r.Objects != len(h.Objects) {
			t.Errorf("%s: %+v, %v", what, r, err)
		}
	}
	always := faultstore.When(faultstore.OfKind(faultstore.Get, faultstore.GetRange), faultstore.Fault{Flip: true, FlipAt: 7})
	r, err := incremental.Verify(t.Context(), faultstore.Wrap(inner, always), manifestOf(h), incremental.VerifyOptions{})
	if err != nil || len(r.Damaged) != len(h.Objects) {
		t.Errorf("changed twice: %+v, %v", r, err)
	}
}

// A manifest that was changed on its way is read again.
func TestReadManifestTwice(t *testing.T) { // I10
	s := memstore.New()
	m := sample()
	check(t, write(t, s, m))
	once := faultstore.Wrap(s, faultstore.OnIndex(0, faultstore.Fault{Flip: true, FlipAt: 100}))
	if _, err := incremental.ReadManifest(t.Context(), once, m.Checkpoint, m.Epoch); err != nil {
		t.Error(err)
	}
}

// I1: what a subtask only reuses is verified as well.
func TestVerifyReadsWhatIsReused(t *testing.T) {
	s, h, _ := written(t)
	h.Uploaded = 0
	name := h.Objects[0].Name
	check(t, damages["missing"](s, name))
	r, err := incremental.Verify(t.Context(), s, manifestOf(h), incremental.VerifyOptions{})
	if err != nil || len(r.Damaged) != 1 || r.Damaged[0].Object != name {
		t.Errorf("%+v, %v", r, err)
	}
}

// A manifest whose checksum of a file is wrong is found out too, and so are
// handles that disagree.
func TestVerifyComparesEachFile(t *testing.T) {
	s, h, _ := written(t)
	m := manifestOf(h)
	h.Files[0].Ref.CRC32C++
	r, err := incremental.Verify(t.Context(), s, m, incremental.VerifyOptions{})
	check(t, err)
	if len(r.Damaged) != 1 || len(r.Damaged[0].Files) != 1 || r.Damaged[0].Files[0] != "op/0 "+h.Files[0].Name {
		t.Errorf("%+v", r)
	}
	h.Files[0].Ref.CRC32C--
	for what, change := range map[string]func(*incremental.Object){
		"size":     func(o *incremental.Object) { o.Size++ },
		"checksum": func(o *incremental.Object) { o.CRC32C++ },
	} {
		second := *h
		second.Index = 1
		second.Objects = append([]incremental.Object(nil), h.Objects...)
		change(&second.Objects[2])
		m := manifestOf(h)
		m.Subtasks = append(m.Subtasks, incremental.Subtask{Operator: "op", Index: 1, Keyed: &second})
		r, err = incremental.Verify(t.Context(), s, m, incremental.VerifyOptions{})
		check(t, err)
		if len(r.Damaged) != 1 || r.Damaged[0].Object != h.Objects[2].Name {
			t.Errorf("%s: %+v", what, r)
		}
	}
}

// I10: a store that cannot be asked says nothing about its objects.
func TestVerifyDoesNotTakeFailuresForDamage(t *testing.T) {
	inner, h, _ := written(t)
	boom := errors.New("boom")
	for name, fault := range map[string]faultstore.Fault{
		"before": {Before: upload.ErrDenied}, "cut": {Cut: 3, CutShort: boom},
	} {
		r, err := incremental.Verify(t.Context(), faultstore.Wrap(inner, faultstore.OnIndex(1, fault)), manifestOf(h), incremental.VerifyOptions{Parallel: 1})
		if !errors.Is(err, boom) && !errors.Is(err, upload.ErrDenied) || !r.OK() {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// I6, I7: a manifest may be written twice, but never over another.
func TestWriteManifest(t *testing.T) {
	s := memstore.New()
	m := sample()
	check(t, write(t, s, m))
	check(t, write(t, s, m))
	other := sample()
	other.Writer = "somebody else"
	if err := write(t, s, other); !errors.Is(err, upload.ErrPrecondition) {
		t.Errorf("another manifest of the same name: %v", err)
	}
	lost := faultstore.Wrap(memstore.New(), faultstore.OnIndex(0, faultstore.Fault{Twice: true}))
	check(t, write(t, lost, m))

	got, err := incremental.ReadManifest(t.Context(), s, m.Checkpoint, m.Epoch)
	check(t, err)
	check(t, got.CheckJob("flights"))
	if err := got.CheckJob("trains"); !errors.Is(err, incremental.ErrWrongJob) || !strings.Contains(err.Error(), "flights") {
		t.Errorf("of another job: %v", err)
	}
}

func TestReadManifestRefuses(t *testing.T) {
	s := memstore.New()
	m := sample()
	check(t, write(t, s, m))
	if _, err := incremental.ReadManifest(t.Context(), s, 40, 3); !errors.Is(err, upload.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	name := incremental.ManifestName(40, 3)
	_, err := s.Put(t.Context(), name, upload.BodyFromBytes(encode(t, m)), upload.PutOptions{})
	check(t, err)
	_, err = incremental.ReadManifest(t.Context(), s, 40, 3)
	if c, ok := errors.AsType[*incremental.CorruptManifestError](err); !ok || c.Object != name {
		t.Errorf("under another name: %v", err)
	}
	b := encode(t, m)
	b[len(b)-1] ^= 1
	name = incremental.ManifestName(41, 4)
	_, err = s.Put(t.Context(), name, upload.BodyFromBytes(b), upload.PutOptions{})
	check(t, err)
	_, err = incremental.ReadManifest(t.Context(), s, 41, 4)
	if c, ok := errors.AsType[*incremental.CorruptManifestError](err); !ok || c.Object != name || !strings.Contains(err.Error(), name) {
		t.Errorf("damaged: %v", err)
	}
}

func write(t *testing.T, s upload.Store, m *incremental.Manifest) error {
	t.Helper()
	w, err := incremental.WriteManifest(t.Context(), s, m)
	if err != nil {
		return err
	}
	info, err := s.Head(t.Context(), incremental.ManifestName(m.Checkpoint, m.Epoch))
	if err == nil && (w.Bytes != info.Size || info.HasCRC32C && w.CRC32C != info.CRC32C) {
		t.Errorf("wrote %+v, and the store has %+v", w, info)
	}
	return err
}

// Objects that checkpoints share are read once, unless a later one has other files in
// them; what was found damaged is read again, to name the files of each checkpoint.
func TestVerifierReadsSharedObjectsOnce(t *testing.T) { // I1
	inner, h, _ := written(t)
	m := manifestOf(h)
	reads := func(v *incremental.Verifier, s *faultstore.Store, m *incremental.Manifest) (int, *incremental.VerifyReport) {
		before := s.Ops()
		r, err := v.Manifest(t.Context(), m)
		check(t, err)
		return s.Ops() - before, r
	}
	s := faultstore.Wrap(inner, nil)
	v := incremental.NewVerifier(s, incremental.VerifyOptions{})
	n, first := reads(v, s, m)
	again, second := reads(v, s, m)
	if n != len(h.Objects) || again != 0 || second.Objects != first.Objects || second.Bytes != first.Bytes || !second.OK() {
		t.Errorf("%d reads, then %d: %+v, %+v", n, again, first, second)
	}
	h.Files[0].Ref.CRC32C++
	if n, r := reads(v, s, m); n == 0 || len(r.Damaged) != 1 {
		t.Errorf("another file in a known object: %d reads, %+v", n, r)
	}
	h.Files[0].Ref.CRC32C--
	check(t, damages["flipped"](inner, h.Objects[1].Name))
	v = incremental.NewVerifier(s, incremental.VerifyOptions{})
	for range 2 {
		if _, r := reads(v, s, m); len(r.Damaged) != 1 || len(r.Damaged[0].Files) == 0 {
			t.Errorf("damaged: %+v", r)
		}
	}
}

// What is not read is looked for: existence and size are compared, bytes are not, and the
// report tells them apart.
func TestVerifyUnread(t *testing.T) { // I1
	for kind, damage := range damages {
		inner, h, _ := written(t)
		check(t, damage(inner, h.Objects[1].Name))
		s := faultstore.Wrap(inner, nil)
		r, err := incremental.Verify(t.Context(), s, manifestOf(h), incremental.VerifyOptions{Unread: 1})
		check(t, err)
		info, err := inner.Head(t.Context(), h.Objects[1].Name)
		seen := err != nil || info.Size != h.Objects[1].Size
		if r.Objects != 0 || r.UnreadObjects != len(h.Objects) || r.OK() == seen || s.Ops() != 1 {
			t.Errorf("%s: %d requests, %+v", kind, s.Ops(), r)
		}
	}
	inner, h, _ := written(t)
	read := 0
	const rounds = 200
	for range rounds {
		r, err := incremental.Verify(t.Context(), inner, manifestOf(h), incremental.VerifyOptions{Unread: 0.75})
		check(t, err)
		if r.Objects+r.UnreadObjects != len(h.Objects) {
			t.Fatalf("%+v", r)
		}
		read += r.Objects
	}
	if all := rounds * len(h.Objects); read < all/8 || read > all/2 { // a quarter
		t.Errorf("%d of %d objects were read", read, all)
	}
}
