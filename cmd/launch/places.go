package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/tidemark/tidemark/upload/storeurl"
)

// validatePlaces fails if one of local state, store and output lies in another: the same
// files would belong to both.
func (c Config) validatePlaces() error {
	c = c.withDefaults()
	type place struct{ what, dir string }
	places := []place{{"local state", c.StateDir}}
	if store, ok := storeurl.Dir(c.Store); ok && c.Interval != 0 {
		places = append(places, place{"checkpoints", store})
	}
	own := len(places)
	for _, dir := range c.Job.Directories() {
		places = append(places, place{"output", dir})
	}
	for i := range places {
		dir, err := resolved(places[i].dir)
		if err != nil {
			return fmt.Errorf("directory for %s: %w", places[i].what, err)
		}
		places[i].dir = dir
	}
	for i, a := range places[:own] {
		for _, b := range places[i+1:] {
			if within(a.dir, b.dir) || within(b.dir, a.dir) {
				return fmt.Errorf("%s in %s and %s in %s: neither may lie in the other; choose another directory for one of them", a.what, a.dir, b.what, b.dir)
			}
		}
	}
	return nil
}

// resolved returns the absolute path of a directory, which need not exist, without
// symbolic links.
func resolved(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at, rest := dir, ""; ; at, rest = filepath.Dir(at), filepath.Join(filepath.Base(at), rest) {
		real, err := filepath.EvalSymlinks(at)
		switch {
		case err == nil:
			return filepath.Join(real, rest), nil
		case !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at):
			return dir, nil // whoever opens it says what is wrong with it
		}
	}
}

func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}
