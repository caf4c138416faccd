package engine

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/tidemark/tidemark/engine/checkpoint"
	"github.com/tidemark/tidemark/engine/internal/optional"
	"github.com/tidemark/tidemark/engine/state"
)

// Validator is an optional method of sources and sinks: Job.Validate reports
// what it returns.
type Validator interface{ Validate() error }

// checkEnd returns the mistakes of a source or sink.
func checkEnd(v any) error {
	checked, has, err := optional.Of[Validator](v)
	if has {
		return checked.Validate()
	}
	return err
}

// checkProcessor returns the mistakes of a processor. It opens one that is then
// thrown away, on a registry that only records what states are declared.
func checkProcessor[K comparable, T, U any](id checkpoint.OperatorID, codec state.KeyCodec[K], make func() Processor[K, T, U]) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = newPanic(id, v)
		}
	}()
	p, other := make(), make()
	switch {
	case isNil(p) || isNil(other):
		return errNoProcessor
	case same(p, other):
		return fmt.Errorf("the function given to Process returned one %T twice: each subtask needs its own, so make it inside the function", p)
	}
	_, _, keyErr := optional.Of[KeyFinisher[K, U]](p)
	_, _, endErr := optional.Of[Finisher[U]](p)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	registry := state.NewTrial(codec.Signature())
	openErr := p.Open(OpenContext{Context: ctx, Operator: id, Parallelism: 1, States: registry})
	if !IsPermanent(openErr) || registry.Err() != nil {
		openErr = nil // another one may pass, and is for the run; the registry's is not said twice
	}
	return errors.Join(keyErr, endErr, registry.Err(), openErr)
}

var errNoProcessor = errors.New("the function given to Process returned no processor")

// isNil reports whether a processor is nil, or a nil pointer.
func isNil(p any) bool {
	v := reflect.ValueOf(p)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// same reports whether two processors share what they hold.
func same(a, b any) bool {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	switch {
	case x.Type() != y.Type():
		return false
	case x.Kind() == reflect.Pointer:
		return x.Type().Elem().Size() > 0 && x.Pointer() == y.Pointer()
	case x.Kind() == reflect.Map, x.Kind() == reflect.Chan:
		return x.Pointer() == y.Pointer()
	}
	return false
}
