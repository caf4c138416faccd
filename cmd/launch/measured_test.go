package launch

import (
	"os"
	"regexp"
	"testing"

	"github.com/tidemark/tidemark/rocks"
)

// The metrics of the local store that the dashboard and the alerts name are exported.
func TestNamedFiguresOfTheLocalStoreAreExported(t *testing.T) {
	r, err := rocks.NewResources(rocks.Options{})
	if err != nil {
		t.Fatal(err)
	}
	exported := map[string]bool{}
	for _, f := range nativeFigures(r) {
		exported[f.Name] = true
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	found := 0
	for _, file := range []string{"dashboard.json", "alerts.yml"} {
		b, err := os.ReadFile("../metrics/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`tidemark_(?:rocksdb|table)_[a-z_]+`).FindAllString(string(b), -1) {
			if found++; !exported[name] {
				t.Errorf("%s names %s, which is not exported", file, name)
			}
		}
	}
	if found < 5 {
		t.Errorf("%d names were found", found)
	}
}
