package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidemark/tidemark/upload"
)

// RunVersions tests stores that keep versions, and whose clock advances within tick.
func RunVersions(t *testing.T, tick time.Duration, open func(*testing.T) upload.Versioned) {
	pause := func() { time.Sleep(tick) }
	for _, test := range []struct {
		name string
		run  func(*testing.T, upload.Versioned)
	}{
		{"history of names", func(t *testing.T, s upload.Versioned) { testVersions(t, s, pause) }},
		{"delete versions", testDeleteVersions},
		{"delete absent versions", testDeleteAbsentVersions},
		{"delete a marker", func(t *testing.T, s upload.Versioned) { testDeleteMarker(t, s, pause) }},
		{"many versions", testManyVersions},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// versions lists the versions below prefix.
func versions(t *testing.T, s upload.Versioned, prefix string) (all []upload.Version) {
	t.Helper()
	for v, err := range s.Versions(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("versions of %q: %v", prefix, err)
		}
		all = append(all, v)
	}
	return all
}

// wantVersions compares the versions of a store, written "name:bytes" or "name:marker", with
// a star if they are current.
func wantVersions(t *testing.T, s upload.Versioned, prefix, want string) []upload.Version {
	t.Helper()
	all := versions(t, s, prefix)
	var got []string
	ids := map[string]bool{}
	for _, v := range all {
		text := fmt.Sprintf("%s:%d", v.Name, v.Size)
		if v.Marker {
			text = v.Name + ":marker"
		}
		if v.Current {
			text += "*"
		}
		got = append(got, text)
		if id := v.Name + " " + v.ID; v.ID == "" || v.Modified.IsZero() || ids[id] {
			t.Errorf("%+v: without id or time, or doubled", v)
		}
		ids[v.Name+" "+v.ID] = true
	}
	if strings.Join(got, " ") != want {
		t.Fatalf("versions of %q are %q, want %q", prefix, strings.Join(got, " "), want)
	}
	return all
}

func remove(t *testing.T, s upload.Versioned, all ...upload.Version) {
	t.Helper()
	if err := s.DeleteVersions(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
}

func testVersions(t *testing.T, s upload.Versioned, pause func()) {
	wantVersions(t, s, "", "")
	put(t, s, "head", []byte("1"))
	put(t, s, "head", []byte("22"))
	put(t, s, "data/b", []byte("333"))
	put(t, s, "data/a", []byte("4444"))
	pause()
	if err := s.Delete(t.Context(), "data/b"); err != nil {
		t.Fatal(err)
	}
	pause()
	put(t, s, "head", []byte("55555"))
	wantVersions(t, s, "", "data/a:4* data/b:marker* data/b:3 head:5* head:2 head:1")
	wantVersions(t, s, "data/", "data/a:4* data/b:marker* data/b:3")
	wantVersions(t, s, "nothing", "")
	if got := list(t, s, ""); strings.Join(got, " ") != "data/a head" {
		t.Errorf("listed are %q", got)
	}
}

func testDeleteAbsentVersions(t *testing.T, s upload.Versioned) { // I6
	put(t, s, "head", []byte("1"))
	put(t, s, "head", []byte("22"))
	old := wantVersions(t, s, "head", "head:2* head:1")[1]
	for range 3 {
		remove(t, s, old)
		wantVersions(t, s, "head", "head:2*")
	}
}

func testDeleteVersions(t *testing.T, s upload.Versioned) {
	put(t, s, "head", []byte("1"))
	put(t, s, "head", []byte("22"))
	put(t, s, "head", []byte("333"))
	put(t, s, "other", []byte("4444"))
	all := wantVersions(t, s, "head", "head:3* head:2 head:1")
	remove(t, s, all[1], all[2])
	wantVersions(t, s, "head", "head:3*")
	wantContent(t, s, "head", []byte("333"))
	if err := s.DeleteVersions(t.Context()); err != nil {
		t.Errorf("none: %v", err)
	}
	put(t, s, "head", []byte("55555"))
	remove(t, s, versions(t, s, "head")[0]) // the current one: the one below it is again
	wantContent(t, s, "head", []byte("333"))
	remove(t, s, versions(t, s, "head")...)
	wantAbsent(t, s, "head")
	wantVersions(t, s, "", "other:4*")
}

func testDeleteMarker(t *testing.T, s upload.Versioned, pause func()) {
	put(t, s, "data/a", []byte("1"))
	pause()
	if err := s.Delete(t.Context(), "data/a"); err != nil {
		t.Fatal(err)
	}
	all := wantVersions(t, s, "", "data/a:marker* data/a:1")
	remove(t, s, all[0]) // the object is back
	wantContent(t, s, "data/a", []byte("1"))
	pause()
	if err := s.Delete(t.Context(), "data/a"); err != nil {
		t.Fatal(err)
	}
	all = wantVersions(t, s, "", "data/a:marker* data/a:1")
	remove(t, s, all[1])
	all = wantVersions(t, s, "", "data/a:marker*")
	remove(t, s, all[0])
	wantVersions(t, s, "", "")
}

// testManyVersions has more versions of names than a page.
func testManyVersions(t *testing.T, s upload.Versioned) {
	const names, times = 3, 400
	for i := range names * times {
		put(t, s, fmt.Sprintf("n%d", i%names), fmt.Append(nil, i))
	}
	all := versions(t, s, "")
	if len(all) != names*times {
		t.Fatalf("%d versions, want %d", len(all), names*times)
	}
	old := []upload.Version{}
	for i, v := range all {
		if v.Current != (i%times == 0) || v.Name != fmt.Sprintf("n%d", i/times) {
			t.Fatalf("version %d is %+v", i, v)
		}
		if !v.Current {
			old = append(old, v)
		}
	}
	remove(t, s, old...)
	for i := range names {
		wantContent(t, s, fmt.Sprintf("n%d", i), fmt.Append(nil, names*(times-1)+i))
	}
	if n := len(versions(t, s, "")); n != names {
		t.Errorf("%d versions are left", n)
	}
}
