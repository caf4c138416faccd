package optional

import (
	"fmt"
	"reflect"
)

// Of returns v as I if it implements I. The error says that v, or a pointer to
// it, has a method of I's by name that is not the method of I.
func Of[I any](v any) (i I, has bool, err error) {
	if i, has = v.(I); has || v == nil {
		return i, has, nil
	}
	return i, false, Check[I](reflect.TypeOf(v))
}

// Check returns the error of Of for values of type t.
func Check[I any](t reflect.Type) error {
	want := reflect.TypeFor[I]()
	if t.Implements(want) {
		return nil
	}
	for i := range want.NumMethod() {
		w := want.Method(i)
		if m, ok := t.MethodByName(w.Name); ok {
			if has := methodType(t, m); has != w.Type {
				return fmt.Errorf("%v has a method %s that would never be called: it is a %v, and would have to be a %v", t, w.Name, has, w.Type)
			}
		} else if t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface {
			p := reflect.PointerTo(t)
			if _, ok := p.MethodByName(w.Name); ok {
				return fmt.Errorf("%v has a method %s that would never be called, since it is one of %v: use the pointer", t, w.Name, p)
			}
		}
	}
	return nil
}

// methodType is the type of a method without its receiver.
func methodType(t reflect.Type, m reflect.Method) reflect.Type {
	if t.Kind() == reflect.Interface {
		return m.Type
	}
	var in, out []reflect.Type
	for i := 1; i < m.Type.NumIn(); i++ {
		in = append(in, m.Type.In(i))
	}
	for i := range m.Type.NumOut() {
		out = append(out, m.Type.Out(i))
	}
	return reflect.FuncOf(in, out, m.Type.IsVariadic())
}
