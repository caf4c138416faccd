package optional_test

import (
	"strings"
	"testing"

	"github.com/tidemark/tidemark/engine/internal/optional"
)

type closer interface {
	Close(name string) (int, error)
}

type right struct{}

func (right) Close(string) (int, error) { return 7, nil }

type wrong struct{}

func (wrong) Close(names ...string) error { return nil }

type onPointer struct{}

func (*onPointer) Close(string) (int, error) { return 7, nil }

type promotes struct{ *wrong }

type without struct{}

// A method of an optional method's name is that method, or refused with both
// types, whatever receiver it has and wherever it comes from.
func TestNoOptionalMethodIsMissedSilently(t *testing.T) {
	for _, c := range []struct {
		v    any
		has  bool
		says []string
	}{
		{nil, false, nil},
		{without{}, false, nil},
		{&without{}, false, nil},
		{3, false, nil},
		{right{}, true, nil},
		{&right{}, true, nil},
		{&onPointer{}, true, nil},
		{onPointer{}, false, []string{"optional_test.onPointer has a method Close that would never be called", "one of *optional_test.onPointer: use the pointer"}},
		{wrong{}, false, []string{"optional_test.wrong has a method Close that would never be called", "it is a func(...string) error", "have to be a func(string) (int, error)"}},
		{&wrong{}, false, []string{"*optional_test.wrong has a method Close", "it is a func(...string) error"}},
		{promotes{}, false, []string{"optional_test.promotes has a method Close", "it is a func(...string) error"}},
	} {
		_, has, err := optional.Of[closer](c.v)
		if has != c.has || (err != nil) != (c.says != nil) {
			t.Errorf("%T: has %v, error %v", c.v, has, err)
		}
		for _, s := range c.says {
			if err != nil && !strings.Contains(err.Error(), s) {
				t.Errorf("%T: %q lacks %q", c.v, err, s)
			}
		}
	}
}
