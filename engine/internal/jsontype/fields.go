package jsontype

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// Field is a field of a struct in JSON.
type Field struct {
	Name     string // in JSON
	Path     string // in Go, through embedded structs
	Type     reflect.Type
	Optional bool // tagged omitempty or omitzero
	// behindPointer: it is a field of an embedded pointer.
	behindPointer bool
}

// Fields lists the fields of a struct as encoding/json does; those of embedded
// structs are its own. It fails where a field would be lost.
func Fields(t reflect.Type) ([]Field, error) {
	fields, err := fieldsOf(t, nil)
	names := map[string]string{}
	for _, f := range fields {
		if other, ok := names[f.Name]; ok && err == nil {
			err = fmt.Errorf(".%s: %q is the name of the field %s too: tag one of them", f.Path, f.Name, other)
		}
		names[f.Name] = f.Path
	}
	return fields, err
}

func fieldsOf(t reflect.Type, within []reflect.Type) (fields []Field, err error) {
	for _, outer := range within {
		if outer == t {
			return nil, fmt.Errorf(": %v embeds itself: name the field", t)
		}
	}
	within = append(within, t)
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if !valid(name) {
			name = ""
		}
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if f.Anonymous && name == "" && inner.Kind() == reflect.Struct {
			if !f.IsExported() && f.Type.Kind() == reflect.Pointer {
				return nil, fmt.Errorf(".%s: an embedded pointer to a type that is not exported cannot be read: embed the struct", f.Name)
			}
			under, err := fieldsOf(inner, within)
			if err != nil {
				return nil, fmt.Errorf(".%s%w", f.Name, err)
			}
			for _, u := range under {
				u.Path = f.Name + "." + u.Path
				u.behindPointer = u.behindPointer || f.Type.Kind() == reflect.Pointer
				u.Optional = u.Optional || f.Type.Kind() == reflect.Pointer
				fields = append(fields, u)
			}
			continue
		}
		if !f.IsExported() {
			return nil, fmt.Errorf(".%s: the field is not exported, so it is left out: export it, or say so with the tag `json:\"-\"`", f.Name)
		}
		if name == "" {
			name = f.Name
		}
		optional := false
		for o := range strings.SplitSeq(options, ",") {
			optional = optional || o == "omitempty" || o == "omitzero"
		}
		fields = append(fields, Field{Name: name, Path: f.Name, Type: f.Type, Optional: optional})
	}
	return fields, nil
}

// valid reports whether encoding/json takes a tag for a name.
func valid(name string) bool {
	for _, r := range name {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return name != ""
}
